import {
  isRoleAtLeast,
  readProgramNotes,
  type KeyRing,
  type Logger,
  type ProgramNote,
  type RedisKeys,
  type WorkerHeartbeat,
} from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import type { Caller } from '../requests/caller';
import type { ElectedReplica } from '../cluster/elected-replica';
import type { RedisBreaker } from '../redis/redis-breaker';
import { FigureHistory } from './figure-history';
import { FiguresReader } from './figures-reader';
import type { Counts } from './lane-counts';
import { defineReadNamed, readMinutes, readNamedCounts, type NamedCounts } from './read-named';

export interface ClusterMetricsOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly breaker: RedisBreaker;
  readonly keyRing: KeyRing;
  readonly elected: ElectedReplica;
  readonly liveWorkers: () => readonly WorkerHeartbeat[];
  readonly logger: Logger;
}

/** How often the elected replica looks whether a snapshot is due. */
const LOOK_MS = 1_000;

/** All that can be read from the store; every replica reads the same. */
export class ClusterMetrics {
  readonly reader: FiguresReader;
  readonly history: FigureHistory;
  readonly liveWorkers: () => readonly WorkerHeartbeat[];
  private readonly options: ClusterMetricsOptions;

  constructor(options: ClusterMetricsOptions) {
    const { redis, keys, elected } = options;
    this.options = options;
    this.reader = new FiguresReader(options);
    this.history = new FigureHistory(redis, keys);
    this.liveWorkers = options.liveWorkers;
    defineReadNamed(redis);
    elected.onTick('figures', LOOK_MS, (term) => this.history.takeIfDue(term, this.reader.read));
  }

  /** @throws ClusterError QUEUE_UNAVAILABLE */
  readNamed(member: 'program' | 'caller', most: number): Promise<NamedCounts[]> {
    return readNamedCounts({ ...this.options, reader: this.reader }, member, most);
  }

  /** By what the programs are known again: their own to an owner, all to an admin. @throws ClusterError QUEUE_UNAVAILABLE */
  async readNotes({ role, owner }: Pick<Caller, 'role' | 'owner'>): Promise<Map<string, ProgramNote>> {
    // A viewer never sees code.
    if (!isRoleAtLeast(role, 'operator')) return new Map();
    const notes = (await this.reader.ofEachLane((lane) => readProgramNotes(this.options, lane))).flat();
    const shown = notes.filter((note) => role === 'admin' || note.owner === owner).sort((one, other) => one.at - other.at);
    return new Map(shown.map((note) => [note.program, note]));
  }

  /** By minutes since 1970, on Redis' clock. @throws ClusterError QUEUE_UNAVAILABLE */
  readMinutes(first: number, last: number, lane?: string): Promise<Counts[]> {
    return readMinutes({ ...this.options, reader: this.reader }, first, last, lane);
  }
}
