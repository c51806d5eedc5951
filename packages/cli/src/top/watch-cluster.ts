import { setTimeout } from 'node:timers/promises';
import type { ReadStream, WriteStream } from 'node:tty';
import type { ClusterReading } from './cluster-reading';
import { RateMeter } from './rate-meter';
import { readCluster } from './read-cluster';
import { renderTop, type TopView } from './render-top';
import type { ApiAddress } from './request-json';
import { Screen } from './screen';

export interface WatchOptions {
  readonly api: ApiAddress;
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly colours: boolean;
  readonly warning?: string;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

const REFRESH_MS = 1_000;
/** Ctrl-C and Ctrl-D: in raw mode they come as characters, not as signals. */
const END_KEYS = ['q', 'Q', '\u0003', '\u0004'];

/**
 * Shows the cluster until somebody has seen enough: reads, draws, waits out the second. An API that cannot be reached is
 * said so, beside the last known figures, and asked again.
 */
export async function watchCluster({ api, input, output, colours, warning, signal }: WatchOptions): Promise<void> {
  const screen = new Screen(output, colours);
  const meter = new RateMeter();
  const keys = new AbortController();
  const ended = AbortSignal.any([signal, keys.signal]);
  let view: TopView | undefined;
  const draw = (): void => {
    if (view !== undefined) screen.draw(renderTop(view, screen.size));
  };
  const onKey = (key: Buffer): void => {
    if ([...key.toString('utf8')].some((character) => END_KEYS.includes(character))) keys.abort();
  };
  if (input.isTTY) input.setRawMode(true).on('data', onKey);
  output.on('resize', draw);
  // The terminal has gone.
  output.on('error', () => keys.abort());
  screen.open();
  try {
    while (!ended.aborted) {
      const startedAt = Date.now();
      const reading = await readCluster(api, ended);
      if (ended.aborted) break;
      view = toView(reading, view, meter, { url: api.url, ...(warning !== undefined && { warning }) });
      draw();
      await setTimeout(Math.max(100, REFRESH_MS - (Date.now() - startedAt)), undefined, { signal: ended }).catch(() => undefined);
    }
  } finally {
    screen.close();
    output.off('resize', draw);
    if (input.isTTY) input.setRawMode(false).off('data', onKey).pause();
  }
}

type Fixed = Pick<TopView, 'url' | 'warning'>;

function toView(reading: ClusterReading, last: TopView | undefined, meter: RateMeter, fixed: Fixed): TopView {
  const now = Date.now();
  if (reading.health === undefined) {
    const lastReading = last?.reading ?? reading;
    return {
      ...fixed,
      now,
      reading: { ...lastReading, problems: reading.problems },
      perSecond: undefined,
      unreachableSince: last?.unreachableSince ?? now,
    };
  }
  const { summary } = reading;
  return { ...fixed, now, reading, perSecond: summary?.finished === undefined ? undefined : meter.add(summary.readAt, summary.finished) };
}
