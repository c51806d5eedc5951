import {
  ClusterError,
  hasErrorCode,
  type AlertEvents,
  type CancelVerdict,
  type Config,
  type Job,
  type RedisSuitability,
  type SigningWatch,
  type WorkerHeartbeat,
} from '@python3-cluster/shared';
import type { WorkerRegistry } from '../cluster/worker-registry';
import type { QuarantineGate } from '../quarantine/quarantine-gate';
import { requestCancel } from './cancel-job';
import { buildJob, type JobOrder } from './build-job';
import { assertReplicaAvailable, confirmAccepted } from './confirm-accepted';
import { enqueue, type EnqueueTools } from './enqueue';
import type { ExpectedReply } from './expected-reply';
import type { QueueLimits } from './queue-limits';
import type { RedisBreaker } from '../redis/redis-breaker';
import type { ReplyChannel } from './reply-channel';
import { traceEnqueue } from './trace-enqueue';
import { withdrawJob } from './withdraw-job';

export interface Dispatched {
  readonly job: Job;
  /** Where the caller waits. */
  readonly reply: ExpectedReply | undefined;
}

export interface Dispatcher {
  /**
   * Queues a job. The reply must be cancelled when the caller has what it needs.
   * @throws ClusterError QUEUE_UNAVAILABLE, QUEUE_UNCERTAIN, QUEUE_FULL, NO_WORKER_FOR_LANE, REDIS_UNSUITABLE, DURABILITY_UNAVAILABLE,
   *   PROGRAM_QUARANTINED, SIGNING_KEY_MISMATCH
   */
  readonly dispatch: (order: JobOrder) => Promise<Dispatched>;
  /** Takes a job back that nobody has started; false where that is too late. */
  readonly withdraw: (job: Job) => Promise<boolean>;
  /** Asks for the end of a job, started or not. @throws ClusterError QUEUE_UNAVAILABLE */
  readonly cancel: (job: Pick<Job, 'id' | 'lane'>) => Promise<CancelVerdict>;
}

export interface DispatcherOptions {
  readonly config: Config;
  readonly tools: EnqueueTools;
  readonly registry: WorkerRegistry;
  readonly breaker: RedisBreaker;
  readonly suitability: RedisSuitability;
  readonly signing: Pick<SigningWatch, 'state' | 'refusal'>;
  readonly limits: QueueLimits;
  readonly gate: QuarantineGate;
  readonly events: Pick<AlertEvents, 'report'>;
  readonly replies: ReplyChannel;
  readonly replyChannel: string;
}

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { config, tools, registry, breaker, suitability, signing, limits, gate, events, replies, replyChannel } = options;
  const dispatch = async (order: JobOrder): Promise<Dispatched> => {
    const { lane, kind, payload, delayMs } = order.request;
    const demand = { bytes: payload.length, isDelayed: delayMs !== undefined };
    breaker.assertClosed();
    if (suitability.state !== 'suitable') await suitability.assertSuitable();
    if (signing.state === 'foreign') assertIsBelieved({ tools, registry, signing }, lane);
    assertReplicaAvailable(tools, lane);
    await assertLaneIsServed({ registry, events }, lane);
    await gate.assertMayRun({ owner: order.owner, kind }, payload);
    await limits.admit(lane, demand);
    const job = buildJob(order, config, replyChannel);
    const reply = job.replyTo === null ? undefined : replies.expect(job.id, () => tools.holds?.release(job.id));
    try {
      await breaker.run(() => enqueue(tools, job, payload));
      if (tools.replicas !== undefined) await confirmAccepted(tools, job);
      tools.holds?.keep(job.id);
    } catch (thrown) {
      const error = job.held && hasErrorCode(thrown, 'QUEUE_UNCERTAIN') ? await startsNoMore(tools, job, thrown) : thrown;
      reply?.cancel();
      // A job that was taken back has given its bytes back itself.
      if (!hasErrorCode(error, 'QUEUE_UNCERTAIN') && !hasErrorCode(error, 'DURABILITY_UNAVAILABLE')) limits.giveBack(lane, demand);
      throw error;
    }
    return { job, reply };
  };
  return {
    dispatch: (order) => traceEnqueue(order, dispatch),
    withdraw: async (job) => breaker.state === 'closed' && (await withdrawJob(tools, job)),
    cancel: (job) => breaker.run(() => requestCancel(tools, job)),
  };
}

/** Whoever is told that nobody knows must not find out later. */
async function startsNoMore({ holds }: EnqueueTools, { id }: Job, cause: unknown): Promise<ClusterError> {
  await holds?.lapse(id);
  return new ClusterError('QUEUE_UNCERTAIN', 'The queue did not confirm the job. It may have run by now, and does not start any more.', {
    cause,
    details: { jobId: id },
  });
}

/**
 * A node without this replica's key would reject what it signs, and an outcome signed with a key that it has not got would not be
 * believed here. Where all nodes of the lane get along with it, as in a rotation that has just begun, nothing is refused.
 */
function assertIsBelieved({ tools, registry, signing }: Pick<DispatcherOptions, 'tools' | 'registry' | 'signing'>, lane: string): void {
  const { currentKeyId, keyIds } = tools.keyRing;
  const nodes = registry.liveWorkers().filter(({ lanes }) => lanes.includes(lane));
  const getsAlong = ({ signing: node }: WorkerHeartbeat): boolean =>
    node !== undefined && node.keyIds.includes(currentKeyId) && keyIds.includes(node.keyId);
  if (!nodes.every(getsAlong)) throw signing.refusal();
}

/** A queue nobody serves would only delay the bad news. A worker node that has just come up deserves a second look. */
async function assertLaneIsServed({ registry, events }: Pick<DispatcherOptions, 'registry' | 'events'>, lane: string): Promise<void> {
  if (!registry.isFresh()) throw new ClusterError('QUEUE_UNAVAILABLE');
  if (!registry.servesLane(lane)) await registry.refresh();
  if (registry.servesLane(lane)) return;
  // Lanes that never were are their callers' mistake, and as many as they like.
  if (registry.hasServed(lane)) events.report('LANE_WITHOUT_WORKER', lane, 'NO_WORKER_FOR_LANE');
  throw new ClusterError('NO_WORKER_FOR_LANE', `No worker node serves the lane '${lane}'.`);
}
