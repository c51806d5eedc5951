import { randomUUID } from 'node:crypto';
import {
  AlertEvents, alertOnRefusals, ClusterError, createRedisKeys, defineCancelCommands, KeyRing, LargeContent, RedisOutage, RedisSuitability, ReplicaConfirmation, SigningWatch,
  type Config, type ConnectionProfile, type Logger, type Tracing,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import { createAlerting } from './alerts/create-alerting';
import { createAuthenticator, type Authenticator } from './auth/authenticator';
import { createKeySource } from './auth/key-source';
import { createConfiguredKeys } from './auth/key-store';
import { createLoopbackSource } from './auth/loopback-source';
import { createSessionSource } from './auth/session-source';
import { RedisProbe } from './cluster/redis-health';
import { UnservedLanes } from './cluster/unserved-lanes';
import { WorkerRegistry } from './cluster/worker-registry';
import type { Core } from './serve/core';
import { CallerHolds } from './dispatch/caller-holds';
import { serve } from './serve/serve';
import { features } from './features';
import { createDispatcher } from './dispatch/dispatcher';
import { createJobIndex } from './dispatch/job-index';
import { createJobList } from './dispatch/job-list';
import { createRunningJobs } from './dispatch/running-jobs';
import { IdempotencyRecords } from './dispatch/idempotency-records';
import { createLaneQueues } from './dispatch/lane-queues';
import { createOutcomeStore } from './dispatch/outcome-store';
import { QueueLimits } from './dispatch/queue-limits';
import { RedisBreaker } from './redis/redis-breaker';
import { ReplyChannel } from './dispatch/reply-channel';
import { JobWatches } from './events/job-watches';
import { HttpListener } from './http-listener';
import { createLifecycle, type Api } from './lifecycle';
import { createMetrics } from './metrics/create-metrics';
import { createQuarantineGate } from './quarantine/quarantine-gate';
import { BodyBudget } from './requests/body-budget';
import { InFlight } from './requests/in-flight';
import { DeferredTraces } from './traces/deferred-traces';

export type { Api } from './lifecycle';

export interface ApiOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly tracing?: Tracing | undefined;
}

/**
 * Wires one API replica. Five or six connections, so that nothing waits behind something slower:
 *
 *   queue      jobs in: records, queue entries
 *   store      outcomes out, the worker registry, the write test, sign-in, watches
 *   bulk       large payloads in, large outcomes out, in pieces
 *   replies    a subscriber
 *   output     another: output of watched jobs is long
 *   replicas   WAIT, with PYTHON3_DURABILITY=replica only
 *
 * @throws ClusterError REDIS_REQUIRED, SIGNING_KEY_REQUIRED
 */
// A promise, so that a later version may read something before it is wired.
// eslint-disable-next-line @typescript-eslint/require-await
export async function createApi({ config, logger, tracing }: ApiOptions): Promise<Api> {
  return wire(config, logger, tracing);
}

function wire(config: Config, plainLogger: Logger, tracing: Tracing | undefined): Api {
  if (config.redisUrl === '') throw new ClusterError('REDIS_REQUIRED');
  if (config.signingKey === '') throw new ClusterError('SIGNING_KEY_REQUIRED');
  const replicaId = randomUUID();
  const keyRing = new KeyRing(config.signingKey, config.signingKeys);
  const keys = createRedisKeys(config.namespace);
  const { connections, connect, outage } = createConnector(config, plainLogger);
  const queueRedis = defineCancelCommands(connect('queue', 'fail-fast'));
  const storeRedis = connect('store', 'fail-fast');
  const large = new LargeContent(connect('bulk', 'fail-fast'));
  const breaker = new RedisBreaker();
  const mayWrite = (): boolean => breaker.state === 'closed' && !isForeign();
  const events = new AlertEvents({ redis: storeRedis, keys, keyRing, mayWrite, logger: plainLogger });
  const logger = alertOnRefusals(plainLogger, events);
  const signing = new SigningWatch({ redis: storeRedis, keys, keyRing, guard: (command) => breaker.run(command), logger: plainLogger });
  const isForeign = (): boolean => signing.isForeign;
  const queues = createLaneQueues(queueRedis, keys, logger);
  const suitability = new RedisSuitability({ redis: queueRedis, durability: config.durability, logger });
  const confirms = config.durability === 'replica';
  const replicas = confirms ? new ReplicaConfirmation({ redis: connect('replicas', 'fail-fast'), keys, logger }) : undefined;
  const store = createOutcomeStore({ redis: storeRedis, large, keys, keyRing, breaker, onRefused: refusalLog(logger) });
  const registry = new WorkerRegistry({ redis: storeRedis, keys, logger, guard: (command) => breaker.run(command) });
  const unserved = new UnservedLanes({ redis: storeRedis, keys, breaker, registry, logger });
  const probe = new RedisProbe(storeRedis, keys, replicaId, logger, breaker);
  const servedLanes = (): string[] => registry.liveWorkers().flatMap((worker) => worker.lanes);
  const limits = new QueueLimits({ redis: queueRedis, keys, config, breaker, servedLanes, logger });
  const holds = new CallerHolds({ redis: queueRedis, keys, breaker, clockOf: (lane) => limits.clockOf(lane), logger });
  const ttlMs = config.idempotencyTtlSeconds * 1_000;
  const idempotency = new IdempotencyRecords({ redis: queueRedis, keys, keyRing, breaker, ttlMs, logger });
  followBreaker(breaker, { registry, probe, limits, outage, logger });
  const replyChannel = keys.replyChannel(replicaId);
  const replies = new ReplyChannel({ subscriber: connect('replies', 'patient'), channel: replyChannel, keyRing, store, logger });
  const hearing = { subscriber: connect('output', 'patient'), redis: storeRedis, keys, keyRing, replicaId };
  const watches = new JobWatches({ ...hearing, breaker, store, jaegerUiUrl: config.jaegerUiUrl, logger });
  const tools = { redis: queueRedis, large, keys, keyRing, queues, holds, index: createJobIndex({ redis: queueRedis, keys }), replicas };
  const { list: quarantine, gate } = createQuarantineGate({ redis: storeRedis, keys, keyRing, breaker, logger });
  // prettier-ignore
  const dispatcher = createDispatcher({ config, tools, registry, breaker, suitability, signing, limits, gate, events, replies, replyChannel });
  const inFlight = new InFlight();
  const bodies = new BodyBudget(config.maxInflightBodyMb * 1_048_576);
  const { elected, clusterMetrics, metrics } = createMetrics({
    config, redis: storeRedis, keys, keyRing, replicaId, breaker, probe, inFlight, isForeign, liveWorkers: () => registry.liveWorkers(), logger,
  }); // prettier-ignore
  // prettier-ignore
  const alerting = createAlerting({
    config, redis: storeRedis, keys, keyRing, breaker, registry, quarantine, signing, readFigures: clusterMetrics.reader.read, elected, events, logger,
  });
  const authenticator = createConfiguredAuthenticator(config, keyRing);
  const deferredTraces =
    tracing && new DeferredTraces({ subscriber: connect('traces', 'patient'), channel: keys.tracedChannel, tracing, logger });
  const waits = new AbortController();
  const listTools = { redis: storeRedis, large, keys, keyRing, logger };
  const [list, running] = [createJobList(listTools), createRunningJobs(listTools)];
  const core: Core = {
    config, logger, keyRing, keys, redis: storeRedis, authenticator, dispatcher, store, list, running, watches, registry, unserved, probe, breaker, suitability,
    replicas, idempotency, quarantine, alerts: alerting.store, inFlight, bodies, waitsEnd: waits.signal, metrics, clusterMetrics, tracing, deferredTraces,
  }; // prettier-ignore
  const listener = new HttpListener(serve(core, features), { config, logger });

  return createLifecycle({
    config, connections, listener, inFlight, waits, replies, watches, deferredTraces, queues, signing, suitability, quarantine, limits, alerting, elected, metrics,
    registry, unserved, probe, holds, replicas, breaker,
  }); // prettier-ignore
}

const refusalLog =
  (logger: Logger) =>
  (jobId: string): void =>
    logger.error({ event: 'security', errorCode: 'OUTCOME_UNVERIFIED', jobId }, 'the record or outcome of a job is not believed');

interface Connector {
  /** All that were made, to be ended together. */
  readonly connections: Redis[];
  readonly connect: (name: string, profile: ConnectionProfile) => Redis;
  readonly outage: RedisOutage;
}

function createConnector(config: Config, logger: Logger): Connector {
  const connections: Redis[] = [];
  const outage = new RedisOutage(logger);
  const connect = (name: string, profile: ConnectionProfile): Redis => {
    const redis = outage.connect(config, { profile, name: `python3-api-${name}` });
    connections.push(redis);
    return redis;
  };
  return { connections, connect, outage };
}

const createConfiguredAuthenticator = (config: Config, keyRing: KeyRing): Authenticator =>
  createAuthenticator([
    createKeySource(createConfiguredKeys(config)),
    createSessionSource(keyRing),
    ...(config.auth === 'loopback-open' ? [createLoopbackSource()] : []),
  ]);

interface BreakerFollowers {
  readonly registry: WorkerRegistry;
  readonly probe: RedisProbe;
  readonly limits: QueueLimits;
  readonly outage: RedisOutage;
  readonly logger: Logger;
}

/** The write test decides whether Redis works again; then what was read from it is read anew, as callers wait for that. */
function followBreaker(breaker: RedisBreaker, { registry, probe, limits, outage, logger }: BreakerFollowers): void {
  // Where connections failed, that was told, and its end will be.
  let isTold = false;
  breaker.on('open', () => {
    const level = outage.isRecent || isTold ? 'debug' : 'warn';
    logger[level]({ breaker: 'open' }, 'commands to Redis keep failing; callers are refused without trying');
    isTold ||= level === 'warn';
  });
  breaker.on('halfOpen', () => {
    logger.debug({ breaker: 'half-open' }, 'Redis is tried again');
    void probe.probe();
  });
  breaker.on('close', () => {
    logger[isTold ? 'info' : 'debug']({ breaker: 'closed' }, 'Redis works again');
    isTold = false;
    void registry.refresh();
    void limits.sample();
  });
}
