import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import {
  AlertEvents, alertOnRefusals, ClusterError, connectRedis, createRedisKeys, KeyRing, PRODUCT_VERSION, QuarantineList, RESTRICTED_MODULES,
  type Config, type IsolationLevel, type JobMode, type Logger, type RedisKeys, type WorkerHeartbeat,
} from '@python3-cluster/shared'; // prettier-ignore
import { connectNode } from './connect-node';
import { HealthCheck } from './health/health-check';
import { Housekeeper } from './housekeeping/housekeeper';
import { Reconciler, type ReconcilerOptions } from './housekeeping/reconciler';
import { Sweeper } from './housekeeping/sweeper';
import { JobProcessor } from './jobs/process-job';
import { OutcomeWriter, type WrittenOutcome } from './jobs/outcome-writer';
import { settleCancelled } from './jobs/settle-cancelled';
import { CancelWatch } from './lanes/cancel-watch';
import { LaneConsumer } from './lanes/lane-consumer';
import { NodeMetrics } from './metrics/node-metrics';
import { Pool } from './pool/pool';
import { Quarantine, type QuarantineOptions } from './quarantine/quarantine';
import { Heartbeat } from './registry/heartbeat';
import { HostWatch } from './registry/host-watch';
import { ChildSocket } from './runner/child-socket';
import { removeRunDirectory, stageRunner, type RunDirectory } from './runner/stage-runner';
import { TemplateKeeper } from './runner/template-keeper';
import { TemplateKeepers } from './runner/template-keepers';
import type { PythonCommand, TemplateReady } from './runner/template';
import { WarmChildren } from './warm/warm-children';
import { OutputFeed } from './watch/output-feed';

export interface WorkerNode {
  readonly id: string;
  readonly level: IsolationLevel;
  readonly python: TemplateReady;
  /** Drains, then ends what is left. Resolves when nothing of the node runs any more. */
  stop(): Promise<void>;
}

export interface WorkerNodeOptions {
  readonly config: Config;
  readonly python: PythonCommand;
  readonly logger: Logger;
}

/** `python/runner` of the checkout or the image. */
const RUNNER_SOURCE = join(__dirname, '..', '..', '..', 'python', 'runner');

/** No layer that contains code is built yet; see docs/security-model.md. */
const LEVEL: IsolationLevel = 'D';

/**
 * Wires one worker node and starts it.
 *
 *   queue ──▶ LaneConsumer ──▶ JobProcessor ──▶ Pool (slots) + TemplateKeepers (children)
 *                                   └──▶ OutcomeWriter ──▶ record, reply channel
 *
 * @throws ClusterError TEMPLATE_START_FAILED, ISOLATION_INSUFFICIENT, REDIS_UNSUITABLE, PORT_IN_USE
 */
export async function createWorkerNode({ config, python, logger: plainLogger }: WorkerNodeOptions): Promise<WorkerNode> {
  assertIsolation(config);
  const id = `${config.nodeName}-${randomBytes(4).toString('hex')}`;
  const keys = createRedisKeys(config.namespace);
  const keyRing = new KeyRing(config.signingKey, config.signingKeys);
  const connection = await connectNode(config, id, keys, plainLogger);
  const { redis, replicas, mayTake } = connection;
  const logger = alertOnRefusals(plainLogger, new AlertEvents({ redis, keys, keyRing, logger: plainLogger }));
  const directory = stageRunner(config.runDirectory, RUNNER_SOURCE);
  const childSocket = new ChildSocket(config.maxValueBytes);
  const pool = createPool(config, directory, logger);
  const templates = createTemplateKeepers({ config, python, directory, childSocket, logger });
  const warm = createWarmChildren(config, logger);
  const ready = await bringUpSlots({ childSocket, templates, pool, directory }).catch((error: unknown) => {
    connection.close();
    throw error;
  });
  const subscriber = connectSubscriber(config, id, logger);
  const feed = new OutputFeed({ redis, keys, keyRing, workerId: id, lanes: config.lanes, logger });
  const metrics = new NodeMetrics({ config, redis, keys, workerId: id, pool, templates, warm, logger });
  const onWritten = (written: WrittenOutcome): void => {
    feed.ended(written.target.jobId);
    metrics.take(written);
  };
  const outcomes = new OutcomeWriter({ redis, keys, keyRing, workerId: id, level: LEVEL, onWritten, logger });
  const quarantine = createQuarantine({ config, redis, keys, keyRing, workerId: id, logger });
  const allowedModules = [...RESTRICTED_MODULES, ...config.restrictedModules];
  // prettier-ignore
  const processor = new JobProcessor({
    config, redis, keys, keyRing, pool, templates, warm, outcomes, feed, quarantine, replicas, workerId: id, allowedModules, logger,
  });
  const consumers = config.lanes.map(
    (lane) => new LaneConsumer({ lane, redis, keys, concurrency: config.poolMax, processor, workerId: id, mayTake, logger }),
  );
  const cancelWatch = createCancelWatch({ subscriber, redis, keys, keyRing, outcomes, consumers, logger });
  const startedAt = Date.now();
  let draining = false;
  const describe = (): Omit<WorkerHeartbeat, 'sequence'> => ({
    id,
    nodeName: config.nodeName,
    pid: process.pid,
    version: PRODUCT_VERSION,
    lanes: config.lanes,
    level: LEVEL,
    python: { version: ready.pythonVersion, fullVersion: ready.pythonFullVersion, executable: ready.executable },
    pool: pool.stats(templates.areUp),
    startedAt,
    draining,
  });
  const heartbeat = new Heartbeat(redis, keys, describe, new HostWatch(redis, directory.path, logger), logger);
  const healthCheck = new HealthCheck(templates, config.healthCheckSeconds * 1_000, logger);
  const housekeeper = createHousekeeper({ config, redis, keys, keyRing, outcomes, workerId: id, logger });
  await metrics.start().catch(async (error: unknown) => {
    await takeDown({ childSocket, templates, pool, directory });
    subscriber.disconnect();
    connection.close();
    throw error;
  });
  await quarantine.start(subscriber);
  connection.govern(consumers);
  cancelWatch.start();
  feed.listen(subscriber);
  heartbeat.start();
  healthCheck.start();
  housekeeper.start();
  logger.info(
    { workerId: id, lanes: config.lanes, pool: pool.stats(true), python: ready.pythonVersion, level: LEVEL },
    'worker node is up',
  );
  logger.warn({ level: LEVEL }, 'isolation level D: code is not contained yet; run only code you trust');

  /** Stop order: fetch no more → wait for what runs → end the rest → leave the registry → children → Redis → files. */
  async function stop(): Promise<void> {
    draining = true;
    heartbeat.beat();
    healthCheck.stop();
    await drainConsumers(consumers, config.drainSeconds * 1_000, logger);
    await cancelWatch.stop();
    feed.stop();
    quarantine.stop();
    await housekeeper.stop();
    await metrics.stop();
    await heartbeat.stop();
    warm.close();
    await templates.stop();
    pool.close();
    await childSocket.close();
    connection.close();
    removeRunDirectory(directory);
    logger.info({ workerId: id }, 'worker node is down');
  }

  return { id, level: LEVEL, python: ready, stop };
}

function assertIsolation({ isolation }: Config): void {
  if (isolation >= LEVEL) return;
  throw new ClusterError(
    'ISOLATION_INSUFFICIENT',
    `PYTHON3_ISOLATION=${isolation} is required, and this version gives level ${LEVEL} only.`,
  );
}

/** What one node at a time does for the whole cluster. */
function createHousekeeper({ config, ...tools }: ReconcilerOptions & { readonly config: Config }): Housekeeper {
  const chores = [
    new Reconciler(tools),
    new Sweeper({ ...tools, maxBytes: config.resultMaxBytes, maxBytesPerOwner: config.resultMaxBytesPerOwner }),
  ];
  return new Housekeeper({ ...tools, lanes: config.lanes, chores });
}

function createPool(config: Config, directory: RunDirectory, logger: Logger): Pool {
  const { poolMin: min, poolMax: max } = config;
  const borrowWaitMs = config.borrowWaitSeconds * 1_000;
  return new Pool({ min, max, borrowWaitMs, idleMs: config.poolIdleSeconds * 1_000, directory, logger });
}

function createQuarantine(parts: Omit<QuarantineOptions, 'list'>): Quarantine {
  return new Quarantine({ ...parts, list: new QuarantineList(parts) });
}

/** How long jobs that were ended may take to go back to the queue; with Redis away they cannot, and their locks run out. */
const PUT_BACK_MS = 2_000;

async function drainConsumers(consumers: readonly LaneConsumer[], drainMs: number, logger: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const after = (ms: number): Promise<'overrun'> => new Promise((resolve) => (timer = setTimeout(() => resolve('overrun'), ms)));
  const drained = Promise.all(consumers.map((consumer) => consumer.drain()));
  if ((await Promise.race([drained, after(drainMs)])) === 'overrun') {
    logger.warn('drain time is over; running jobs are ended and go back to their lanes');
    for (const consumer of consumers) consumer.abandon();
    await Promise.race([drained, after(PUT_BACK_MS)]);
  }
  clearTimeout(timer);
}

const MODES: readonly JobMode[] = ['restricted', 'admin'];

/** ADMIN code is rare; a megabyte kept for it is enough of a head start. */
const IDLE_CHILDREN: Readonly<Record<JobMode, number>> = { restricted: 2, admin: 1 };

interface TemplateParts {
  readonly config: Config;
  readonly python: PythonCommand;
  readonly directory: RunDirectory;
  readonly childSocket: ChildSocket;
  readonly logger: Logger;
}

function createTemplateKeepers({ config, python, directory, childSocket, logger }: TemplateParts): TemplateKeepers {
  const { runnerPath, socketPath } = directory;
  const wearLimits = {
    forks: config.templateMaxForks,
    ageMs: config.templateMaxAgeSeconds * 1_000,
    grownBytes: config.templateMaxGrowthMb * 1_048_576,
  };
  const common = { python, runnerPath, socketPath, preload: config.preload, timeZone: config.timeZone, childSocket, logger, wearLimits };
  return new TemplateKeepers(MODES.map((mode) => new TemplateKeeper({ ...common, mode, idleChildren: () => IDLE_CHILDREN[mode] })));
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

interface SlotParts {
  readonly childSocket: ChildSocket;
  readonly templates: TemplateKeepers;
  readonly pool: Pool;
  readonly directory: RunDirectory;
}

/** Templates and slots side by side; what did come up is taken down again if the rest does not. */
async function bringUpSlots({ childSocket, templates, pool, directory }: SlotParts): Promise<TemplateReady> {
  try {
    await childSocket.listen(directory.socketPath);
    const [ready] = await Promise.all([templates.start(), pool.start()]);
    return ready;
  } catch (error) {
    await takeDown({ childSocket, templates, pool, directory });
    throw error;
  }
}

async function takeDown({ childSocket, templates, pool, directory }: SlotParts): Promise<void> {
  templates.kill();
  pool.close();
  await childSocket.close();
  removeRunDirectory(directory);
}

/** Hears of cancellations and watches. */
const connectSubscriber = (config: Config, workerId: string, logger: Logger): Redis =>
  connectRedis(config, {
    profile: 'patient',
    name: `python3-worker-${workerId}-hears`,
    onError: (error) => logger.debug({ error: error.message }, 'redis'),
  });

interface CancelParts {
  readonly subscriber: Redis;
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly outcomes: OutcomeWriter;
  readonly consumers: readonly LaneConsumer[];
  readonly logger: Logger;
}

function createCancelWatch({ subscriber, consumers, logger, ...tools }: CancelParts): CancelWatch {
  const { redis, keys } = tools;
  const lanes = consumers.map((consumer) => ({
    lane: consumer.lane,
    cancel: (jobId: string) => consumer.cancel(jobId),
    settle: async (jobId: string) => {
      const verdict = await settleCancelled({ ...tools, logger }, consumer.lane, jobId);
      if (verdict === 'cancel') await consumer.removeEntry(jobId);
    },
  }));
  return new CancelWatch({ subscriber, redis, keys, lanes, logger });
}
