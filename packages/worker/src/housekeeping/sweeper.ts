import type { Redis } from 'ioredis';
import type { AlertEvents, Logger, RedisKeys } from '@python3-cluster/shared';
import { fairShares } from './fair-shares';
import type { Chore } from './housekeeper';
import { OutcomeIndex } from './outcome-index';

export interface SweeperOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  /** Over all lanes and owners. */
  readonly maxBytes: number;
  /** Of one owner, over all lanes; 0: no bound of its own. */
  readonly maxBytesPerOwner?: number;
  /** Told of outcomes that are removed before their time. */
  readonly events?: Pick<AlertEvents, 'report'>;
  readonly logger: Logger;
}

/** Scripts of one pass. */
const STEPS_A_PASS = 200;

/** What owners hold on each lane. */
type Holdings = Map<string, Map<string, number>>;

/**
 * Keeps finished work from filling Redis: outcomes hold at most `maxBytes`, and those of one owner at most
 * `maxBytesPerOwner`. When there are too many, the owners that hold most give up their oldest, each on the lane where it
 * holds most; so a flood costs nobody else an outcome.
 */
export class Sweeper implements Chore {
  readonly name = 'sweep';
  private readonly options: SweeperOptions;
  private readonly index: OutcomeIndex;

  constructor(options: SweeperOptions) {
    this.options = options;
    this.index = new OutcomeIndex(options.redis, options.keys);
  }

  async run(lanes: readonly string[]): Promise<void> {
    let steps = STEPS_A_PASS;
    const holdings: Holdings = new Map();
    for (const lane of lanes) {
      for (let hasMore = true; hasMore && steps > 0; steps -= 1) {
        const forgotten = await this.index.forgetExpired(lane);
        hasMore = forgotten.hasMore;
        this.note(holdings, lane, forgotten.held);
      }
    }
    let removed = 0;
    for (const { owner, lane, keepBytes } of this.plan(holdings)) {
      for (let bytes = Infinity; bytes > keepBytes && steps > 0; steps -= 1) {
        const evicted = await this.index.evict(lane, owner, keepBytes);
        bytes = evicted.bytes;
        removed += evicted.removed;
      }
    }
    const { events, logger, maxBytes, maxBytesPerOwner } = this.options;
    if (removed > 0) {
      events?.report('RESULTS_REMOVED_EARLY', '', `${removed} in one pass`);
      logger.warn({ removed, maxBytes, maxBytesPerOwner }, 'outcomes were removed before their time: PYTHON3_RESULT_MAX_BYTES');
    }
  }

  private note(holdings: Holdings, lane: string, held: ReadonlyMap<string, number>): void {
    for (const byLane of holdings.values()) byLane.delete(lane);
    for (const [owner, bytes] of held) {
      const byLane = holdings.get(owner) ?? new Map<string, number>();
      holdings.set(owner, byLane.set(lane, bytes));
    }
  }

  /** Which owner gives up how much on which lane. */
  private plan(holdings: Holdings): { owner: string; lane: string; keepBytes: number }[] {
    const { maxBytes, maxBytesPerOwner = 0 } = this.options;
    const most = maxBytesPerOwner === 0 ? maxBytes : maxBytesPerOwner;
    const totals = new Map([...holdings].map(([owner, byLane]) => [owner, Math.min(most, sum(byLane))]));
    const shares = fairShares(totals, maxBytes);
    return [...holdings].flatMap(([owner, byLane]) =>
      [...fairShares(byLane, shares.get(owner) ?? 0)]
        .filter(([lane, keepBytes]) => keepBytes < (byLane.get(lane) ?? 0))
        .map(([lane, keepBytes]) => ({ owner, lane, keepBytes })),
    );
  }
}

const sum = (byLane: ReadonlyMap<string, number>): number => [...byLane.values()].reduce((total, bytes) => total + bytes, 0);
