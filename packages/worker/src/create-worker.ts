import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import {
  AlertEvents, alertOnRefusals, createRedisKeys, KeyRing, PRODUCT_VERSION, QuarantineList, RESTRICTED_MODULES,
  type Config, type IsolationLevel, type JobMode, type Logger, type RedisKeys, type SigningWatch, type Tracing, type WorkerHeartbeat,
} from '@python3-cluster/shared'; // prettier-ignore
import { connectNode } from './connect-node';
import { HealthCheck } from './health/health-check';
import { ForeignKeys } from './housekeeping/foreign-keys';
import { Housekeeper } from './housekeeping/housekeeper';
import { Reconciler, type ReconcilerOptions } from './housekeeping/reconciler';
import { Sweeper } from './housekeeping/sweeper';
import type { AdmissionTools } from './jobs/admit-job';
import { Attempts, type AttemptTools } from './jobs/attempts';
import { Endings, type EndingTools } from './jobs/endings';
import { JobProcessor, type JobProcessorOptions } from './jobs/process-job';
import { OutcomeWriter, type WrittenOutcome } from './jobs/outcome-writer';
import { settleCancelled } from './jobs/settle-cancelled';
import { CancelWatch } from './lanes/cancel-watch';
import { drainConsumers } from './lanes/drain-consumers';
import { LaneConsumer } from './lanes/lane-consumer';
import { ProgramNoter } from './programs/program-noter';
import { NodeMetrics } from './metrics/node-metrics';
import { Quarantine, type QuarantineOptions } from './quarantine/quarantine';
import { Heartbeat } from './registry/heartbeat';
import { HostWatch } from './registry/host-watch';
import { createSlots, type SlotsParts } from './create-slots';
import type { TemplateReady } from './runner/template';
import { createSettledTraces } from './traces/settled-trace';
import { createTraceJobs } from './traces/trace-jobs';
import { WarmChildren } from './warm/warm-children';
import { OutputFeed } from './watch/output-feed';

export interface WorkerNode {
  readonly id: string;
  readonly level: IsolationLevel;
  readonly python: TemplateReady;
  /** Drains, then ends what is left. Settles when nothing of the node runs any more; rejects if it could not take its leave. */
  stop(): Promise<void>;
}

export interface WorkerNodeOptions extends SlotsParts {
  readonly tracing?: Tracing | undefined;
}

/**
 * Wires one worker node and starts it.
 *
 *   queue ──▶ LaneConsumer ──▶ JobProcessor ──▶ Pool (slots) + TemplateKeepers (children)
 *                                   └──▶ OutcomeWriter ──▶ record, reply channel
 *
 * @throws ClusterError SIGNING_KEY_MISMATCH, TEMPLATE_START_FAILED, ISOLATION_INSUFFICIENT, REDIS_UNSUITABLE, CONFIG_INVALID, PORT_IN_USE
 */
export async function createWorkerNode({
  config,
  secretFiles,
  python,
  bubblewrap,
  logger: plainLogger,
  tracing,
}: WorkerNodeOptions): Promise<WorkerNode> {
  const id = `${config.nodeName}-${randomBytes(4).toString('hex')}`;
  const keys = createRedisKeys(config.namespace);
  const keyRing = new KeyRing(config.signingKey, config.signingKeys);
  const connection = await connectNode(config, { workerId: id, keys, keyRing }, plainLogger);
  const { redis, large, outage, replicas, mayTake, signing } = connection;
  // By a node without the cluster's key an alert would not be believed.
  const events = new AlertEvents({ redis, keys, keyRing, mayWrite: () => !signing.isForeign, logger: plainLogger });
  const logger = alertOnRefusals(plainLogger, events);
  const warm = createWarmChildren(config, logger);
  const endKept = (mode: JobMode): void => void warm.endOldest(mode);
  const slots = await createSlots({ config, secretFiles, python, bubblewrap, logger, endKept }).catch((error: unknown) => {
    connection.close();
    throw error;
  });
  const { pool, templates, isolation: { level, layers, reasons }, processLimit, python: ready } = slots; // prettier-ignore
  // Hears of cancellations and watches.
  const subscriber = outage.connect(config, { profile: 'patient', name: `python3-worker-${id}-hears` });
  const feed = new OutputFeed({ redis: large.redis, keys, keyRing, workerId: id, lanes: config.lanes, logger });
  const metrics = new NodeMetrics({ config, redis, keys, workerId: id, pool, templates, warm, logger });
  const onWritten = createWrittenListener(feed, metrics);
  const onSettled = tracing && createSettledTraces(tracing, id);
  const outcomes = new OutcomeWriter({
    redis, large, keys, keyRing, workerId: id, level, onWritten, onSettled, logJobs: config.logJobs, logger,
  }); // prettier-ignore
  const quarantine = createQuarantine({ config, redis, keys, keyRing, workerId: id, logger });
  const traceJob = createTraceJobs({ tracing, workerId: id, redis, keys, logger });
  const processor = createProcessor({
    config, redis, large, keys, keyRing, pool, templates, warm, outcomes, feed, quarantine, signing, replicas, workerId: id, level, processLimit, traceJob, logger,
    programs: new ProgramNoter({ redis, keys, keyRing, logger }),
  }); // prettier-ignore
  const consumers = config.lanes.map(
    (lane) => new LaneConsumer({ lane, redis, keys, concurrency: config.poolMax, processor, workerId: id, mayTake, outage, logger }),
  );
  const cancelWatch = createCancelWatch({ subscriber, redis, keys, keyRing, outcomes, consumers, signing, logger });
  const startedAt = Date.now();
  let draining = false;
  const { pythonVersion: version, pythonFullVersion: fullVersion, executable } = ready;
  const describe = (): Omit<WorkerHeartbeat, 'sequence'> => ({
    id, nodeName: config.nodeName, pid: process.pid, version: PRODUCT_VERSION, lanes: config.lanes, level, isolation: { layers, reasons },
    python: { version, fullVersion, executable }, pool: pool.stats(templates.areUp), startedAt, draining, signing: { keyId: keyRing.currentKeyId, keyIds: keyRing.keyIds.slice(0, MOST_KEYS_TOLD) },
  }); // prettier-ignore
  const heartbeat = new Heartbeat(redis, keys, describe, new HostWatch(redis, slots.runPath, logger), logger);
  const healthCheck = new HealthCheck(templates, config.healthCheckSeconds * 1_000, logger);
  const housekeeper = createHousekeeper({ config, redis, keys, keyRing, outcomes, events, workerId: id, signing, logger });
  await metrics.start().catch(async (error: unknown) => {
    await slots.stop();
    subscriber.disconnect();
    connection.close();
    throw error;
  });
  await quarantine.start(subscriber);
  connection.govern(consumers, () =>
    logger.info({ workerId: id, lanes: config.lanes, pool: pool.stats(true), python: version, level, layers }, 'worker node is up'),
  );
  cancelWatch.start();
  feed.listen(subscriber);
  heartbeat.start();
  healthCheck.start();
  housekeeper.start();
  if (level > 'A') logger.warn({ level, reasons }, LEVEL_WARNINGS[level]);

  /** Stop order: fetch no more → wait for what runs → end the rest → leave the registry → children → Redis → files. */
  async function stop(): Promise<void> {
    draining = true;
    heartbeat.beat();
    healthCheck.stop();
    await drainConsumers(consumers, redis, config.drainSeconds * 1_000, logger);
    await cancelWatch.stop();
    feed.stop();
    quarantine.stop();
    await housekeeper.stop();
    await metrics.stop();
    const leave = await heartbeat.stop().catch((error: unknown) => ({ error }));
    warm.close();
    await slots.stop();
    connection.close();
    tellDown(logger, id, leave);
  }

  return { id, level, python: ready, stop };
}

/** @throws what kept the node from signing off */
function tellDown(logger: Logger, workerId: string, failed: { readonly error: unknown } | undefined | void): void {
  if (failed === undefined) return logger.info({ workerId }, 'worker node is down');
  logger.warn({ workerId, error: String(failed.error) }, 'worker node is down without signing off; the registry forgets it by itself');
  throw failed.error;
}

/** What an operator is to know about each level below the best; the reasons stand beside it. */
const LEVEL_WARNINGS: Readonly<Record<IsolationLevel, string>> = {
  A: '',
  B: 'isolation level B: code is contained, with one layer less than there could be',
  C: 'isolation level C: code runs as the worker node’s own user, behind Landlock and seccomp only',
  D: 'isolation level D: nothing contains code; only ADMIN jobs are run',
};

const createWrittenListener =
  (feed: OutputFeed, metrics: NodeMetrics) =>
  (written: WrittenOutcome): void => {
    feed.ended(written.target.jobId);
    metrics.take(written);
  };

type ProcessorParts = AdmissionTools &
  Omit<AttemptTools, 'allowedModules'> &
  EndingTools &
  Pick<JobProcessorOptions, 'pool' | 'programs' | 'quarantine' | 'traceJob'>;

function createProcessor(parts: ProcessorParts): JobProcessor {
  const { pool, programs, quarantine, traceJob, config } = parts;
  const allowedModules = [...RESTRICTED_MODULES, ...config.restrictedModules];
  const attempts = new Attempts({ ...parts, allowedModules });
  return new JobProcessor({ admission: parts, pool, programs, quarantine, attempts, endings: new Endings(parts), traceJob });
}

/** As `parseHeartbeat` takes them. */
const MOST_KEYS_TOLD = 20;

interface HousekeeperParts extends ReconcilerOptions {
  readonly config: Config;
  readonly events: AlertEvents;
  readonly signing: SigningWatch;
}

/** What one node at a time does for the whole cluster. */
function createHousekeeper({ config, signing, ...tools }: HousekeeperParts): Housekeeper {
  const chores = [
    new ForeignKeys(tools),
    new Reconciler(tools),
    new Sweeper({ ...tools, maxBytes: config.resultMaxBytes, maxBytesPerOwner: config.resultMaxBytesPerOwner }),
  ];
  return new Housekeeper({ ...tools, lanes: config.lanes, chores, isForeign: () => signing.isForeign });
}

function createQuarantine(parts: Omit<QuarantineOptions, 'list'>): Quarantine {
  return new Quarantine({ ...parts, list: new QuarantineList(parts) });
}

function createWarmChildren(config: Config, logger: Logger): WarmChildren {
  return new WarmChildren({
    maxChildren: config.poolMax,
    memoryBytes: config.warmMemoryMb * 1_048_576,
    idleMs: config.warmIdleSeconds * 1_000,
    maxUses: config.warmMaxUses,
    logger,
  });
}

interface CancelParts {
  readonly subscriber: Redis;
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly outcomes: OutcomeWriter;
  readonly consumers: readonly LaneConsumer[];
  readonly signing: SigningWatch;
  readonly logger: Logger;
}

function createCancelWatch({ subscriber, consumers, signing, logger, ...tools }: CancelParts): CancelWatch {
  const { redis, keys } = tools;
  const lanes = consumers.map((consumer) => ({
    lane: consumer.lane,
    cancel: (jobId: string) => consumer.cancel(jobId),
    settle: async (jobId: string) => {
      // Without the key no record is believed here: whoever has it settles.
      if (signing.isForeign) return 'unasked';
      const verdict = await settleCancelled({ ...tools, logger }, consumer.lane, jobId);
      if (verdict === 'cancel') await consumer.removeEntry(jobId);
      return verdict;
    },
  }));
  return new CancelWatch({ subscriber, redis, keys, lanes, logger });
}
