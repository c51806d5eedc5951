import {
  mastersOf,
  readAlertEvents,
  type AlertEvent,
  type KeyRing,
  type QuarantineList,
  type RedisKeys,
  type SigningWatch,
  type WorkerHeartbeat,
} from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import type { LostWorker, WorkerRegistry } from '../cluster/worker-registry';
import { gaugeMemory, type MemoryGauge } from '../dispatch/lane-gauge';
import type { RedisBreaker } from '../redis/redis-breaker';
import type { ClusterFigures, ReadClusterFigures } from '../metrics/cluster-figures';
import type { LoadWindow } from './load-window';

/** All that conditions look at, read at one time. */
export interface AlertSignals {
  /** Epoch milliseconds, by this replica's clock. */
  readonly now: number;
  readonly figures: Pick<ClusterFigures, 'lastFiveMinutes' | 'lanes'>;
  /** Mean share of slots in use, 0 to 1; undefined where too little was seen. */
  readonly poolUtilization: number | undefined;
  readonly live: readonly Pick<WorkerHeartbeat, 'nodeName' | 'host' | 'startedAt' | 'signing'>[];
  /** Worker nodes that fell silent without taking leave. */
  readonly lost: readonly LostWorker[];
  readonly memory: MemoryGauge;
  readonly events: readonly AlertEvent[];
  /** Owner → programs quarantined; null: everyone's. */
  readonly quarantined: ReadonlyMap<string | null, number>;
  /** This replica's clock minus that of Redis. */
  readonly ownClockOffsetMs: number;
  readonly ownName: string;
  /** This replica’s keys, and the cluster’s; undefined: not known. */
  readonly signing: Pick<SigningWatch, 'state' | 'clusterKeyId'> & { readonly keyIds: readonly string[] };
}

/** Older events are of no use to any condition. */
const EVENTS_MS = 300_000;

export interface SignalsReaderOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly breaker: RedisBreaker;
  readonly registry: WorkerRegistry;
  readonly quarantine: QuarantineList;
  readonly readFigures: ReadClusterFigures;
  readonly load: LoadWindow;
  readonly signing: Pick<SigningWatch, 'state' | 'clusterKeyId'>;
  readonly ownName: string;
}

/** @throws what Redis answers: conditions are not judged by half of the signals */
export async function readSignals(options: SignalsReaderOptions): Promise<AlertSignals> {
  const { redis, breaker, registry, quarantine, readFigures, load, ownName, signing, keyRing } = options;
  if (!registry.isFresh()) throw new Error('the worker registry is not up to date');
  const figures = await readFigures();
  const [memory, events, ownClockOffsetMs] = await breaker.run(() =>
    Promise.all([gaugeMemory(redis), readAlertEvents(options, EVENTS_MS), measureClockOffsetMs(redis)]),
  );
  const quarantined = new Map<string | null, number>();
  for (const { owner } of quarantine.entries()) quarantined.set(owner, (quarantined.get(owner) ?? 0) + 1);
  return {
    now: Date.now(),
    figures,
    poolUtilization: load.mean(),
    live: registry.liveWorkers(),
    lost: registry.lostWorkers(),
    memory,
    events,
    quarantined,
    ownClockOffsetMs,
    ownName,
    signing: { state: signing.state, clusterKeyId: signing.clusterKeyId, keyIds: keyRing.keyIds },
  };
}

async function measureClockOffsetMs(redis: Redis): Promise<number> {
  const [server] = mastersOf(redis);
  if (server === undefined) return 0;
  const before = Date.now();
  const [seconds, microseconds] = await server.time();
  return Math.round((before + Date.now()) / 2 - (Number(seconds) * 1_000 + Number(microseconds) / 1_000));
}
