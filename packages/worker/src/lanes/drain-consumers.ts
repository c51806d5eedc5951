import type { Redis } from 'ioredis';
import type { Logger } from '@python3-cluster/shared';
import type { LaneConsumer } from './lane-consumer';

/** How long jobs that were ended may take to go back to the queue; with Redis away they cannot, and their locks run out. */
const PUT_BACK_MS = 2_000;

/** With nothing running and Redis away for this long, nothing is worth waiting for: BullMQ would, for Redis to come back. */
const NOTHING_LEFT_MS = 1_000;
const LOOK_MS = 50;

/**
 * Lets the consumers fetch no more and waits for what runs; ends it when the drain time is over.
 *
 *   all ended ──────────────────────────────────────────▶ drained
 *   nothing runs, no outcome to write, Redis away ──────▶ drained: Redis may have been stopped together with us
 *   drain time over ──▶ running jobs are ended ──▶ put back, or not within PUT_BACK_MS ──▶ drained
 */
export async function drainConsumers(
  consumers: readonly LaneConsumer[],
  redis: Pick<Redis, 'status'>,
  drainMs: number,
  logger: Logger,
): Promise<void> {
  const closing = new AbortController();
  const drained = Promise.all(consumers.map((consumer) => consumer.drain()));
  const first = Promise.race([drained, whenNothingIsLeft(consumers, redis, closing.signal)]).then(() => 'drained' as const);
  try {
    if ((await Promise.race([first, after(drainMs, closing.signal)])) === 'drained') return;
    logger.warn('drain time is over; running jobs are ended and go back to their lanes');
    for (const consumer of consumers) consumer.abandon();
    await Promise.race([drained, after(PUT_BACK_MS, closing.signal)]);
  } finally {
    closing.abort();
  }
}

async function whenNothingIsLeft(consumers: readonly LaneConsumer[], redis: Pick<Redis, 'status'>, signal: AbortSignal): Promise<void> {
  let since = performance.now();
  while (performance.now() - since < NOTHING_LEFT_MS) {
    await after(LOOK_MS, signal);
    if (redis.status === 'ready' || !consumers.every((consumer) => consumer.isIdle)) since = performance.now();
    if (signal.aborted) return;
  }
}

function after(milliseconds: number, signal: AbortSignal): Promise<'overrun'> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds, 'overrun');
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve('overrun')), { once: true });
  });
}
