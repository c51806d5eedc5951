import type { Config, RedisSuitability, SigningWatch } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { awaitFirstContact } from './cluster/await-first-contact';
import type { Address, HttpListener } from './http-listener';
import type { InFlight } from './requests/in-flight';

export interface Api {
  /** Listens. Redis may be away; requests are then refused until it is back. @throws ClusterError PORT_IN_USE, REDIS_UNSUITABLE, SIGNING_KEY_MISMATCH */
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Known once started. */
  readonly address: Address | undefined;
}

interface Startable {
  readonly start: () => unknown;
}

interface Stoppable {
  readonly stop: () => unknown;
}

interface Background extends Startable, Stoppable {}

export interface LifecycleParts {
  readonly config: Pick<Config, 'drainSeconds'>;
  /** All that were made, ended last. */
  readonly connections: readonly Redis[];
  readonly listener: HttpListener;
  readonly inFlight: InFlight;
  /** Aborted when this replica lets go of everyone who still waits. */
  readonly waits: AbortController;
  readonly replies: Background;
  readonly watches: Background;
  readonly deferredTraces: Startable | undefined;
  readonly queues: { readonly close: () => Promise<void> };
  readonly signing: Pick<SigningWatch, 'enter' | 'stop'>;
  readonly suitability: RedisSuitability;
  readonly quarantine: Background;
  readonly limits: Background;
  readonly alerting: Background;
  readonly elected: Background;
  readonly metrics: Background;
  readonly registry: Background;
  readonly unserved: Background;
  readonly probe: Background;
  readonly holds: Background;
  readonly replicas: Stoppable | undefined;
  readonly breaker: Stoppable;
}

/** How long a start waits for Redis before it goes on without. */
const FIRST_CONTACT_MS = 1_000;

/** What is left to answer callers with, after their waits have been ended for them. */
const LAST_ANSWERS_MS = 1_000;

/** In which order the parts of a replica begin and end. */
export function createLifecycle(parts: LifecycleParts): Api {
  let stopped: Promise<void> | undefined;
  return {
    start: () => start(parts),
    stop: () => (stopped ??= stop(parts)),
    get address() {
      return parts.listener.address;
    },
  };
}

/** What callers wait on, then Redis, then what is read from it, and at last the port. */
async function start(parts: LifecycleParts): Promise<void> {
  const { connections, suitability, signing, registry, probe, quarantine, limits, unserved } = parts;
  for (const part of [parts.replies, parts.watches, parts.deferredTraces, suitability]) part?.start();
  await awaitFirstContact(connections, FIRST_CONTACT_MS);
  await suitability.settled();
  if (suitability.state === 'unsuitable') throw suitability.refusal();
  await signing.enter();
  await Promise.all([registry.start(), probe.start(), quarantine.start()]);
  await Promise.all([limits.start(), unserved.start()]);
  for (const part of [parts.holds, parts.alerting, parts.elected]) part.start();
  await parts.metrics.start();
  await parts.listener.start();
}

/**
 * Stop order: no new connections → new requests on old ones are refused (SHUTTING_DOWN) → event streams end → callers
 * that wait may wait on, up to the drain time → those left are told that their job goes on without them → background
 * work → queues → connections.
 */
async function stop(parts: LifecycleParts): Promise<void> {
  const { config, connections, listener, inFlight, waits, replies, watches, queues } = parts;
  inFlight.startDraining();
  listener.stopAccepting();
  watches.stop();
  await inFlight.whenIdle(config.drainSeconds * 1_000);
  replies.stop();
  waits.abort();
  await inFlight.whenIdle(LAST_ANSWERS_MS);
  listener.closeConnections();
  for (const part of inStopOrder(parts)) await part?.stop();
  await queues.close();
  for (const redis of connections) redis.disconnect();
}

/** What goes on without callers, those first that ask the others. */
const inStopOrder = (parts: LifecycleParts): readonly (Stoppable | undefined)[] => [
  parts.alerting, parts.signing, parts.elected, parts.metrics, parts.registry, parts.unserved, parts.probe, parts.limits, parts.holds, parts.quarantine,
  parts.suitability, parts.replicas, parts.breaker,
]; // prettier-ignore
