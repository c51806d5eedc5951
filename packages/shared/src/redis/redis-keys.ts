/**
 * Every Redis key and channel of the product. Keys of one lane share the hash tag `{lane}`, so that a lane lives on one
 * node of a Redis Cluster.
 */
export interface RedisKeys {
  /** BullMQ: `prefix:queueName:…` are its own keys. */
  readonly queuePrefix: (lane: string) => string;
  readonly queueName: string;
  /** Hash: the job's record; fields and states in `job-record.ts`. */
  readonly jobRecord: (lane: string, jobId: string) => string;
  /** String: sealed content of a job too large for the queue entry. */
  readonly jobPayload: (lane: string, jobId: string) => string;
  /** BullMQ's hash of a queued job; it exists as long as the queue knows the job. */
  readonly queueEntry: (lane: string, jobId: string) => string;
  /** BullMQ's lock of a job that a worker node holds; its value is that node's token. */
  readonly queueLock: (lane: string, jobId: string) => string;
  /** Sorted set: jobs that were accepted and have no outcome; score: epoch ms of acceptance. */
  readonly openJobs: (lane: string) => string;
  /** Sorted set: `<job id> <bytes>` of records with an outcome; score: epoch ms of its end. */
  readonly outcomes: (lane: string) => string;
  /** Sorted set: the same members; score: epoch ms at which the record expires. */
  readonly outcomeExpiry: (lane: string) => string;
  /** Integer: sum of the bytes in `outcomes`. */
  readonly outcomeBytes: (lane: string) => string;
  /** Set: every lane a worker node has served. */
  readonly lanes: string;
  /** String, short-lived: id of the worker node that does the housekeeping. */
  readonly housekeeper: string;
  /** Channel on which an API replica hears of outcomes its callers wait for. */
  readonly replyChannel: (replicaId: string) => string;
  /** Hash: worker id → heartbeat (JSON). */
  readonly workers: string;
  /** String, short-lived: a sign-in link that has been used. */
  readonly usedSignIn: (nonce: string) => string;
  /** String that is written and expires, to learn whether Redis takes writes. */
  readonly writeProbe: (replicaId: string) => string;
}

export function createRedisKeys(namespace: string): RedisKeys {
  return {
    queuePrefix: (lane) => `${namespace}:{${lane}}`,
    queueName: 'queue',
    jobRecord: (lane, jobId) => `${namespace}:{${lane}}:job:${jobId}`,
    jobPayload: (lane, jobId) => `${namespace}:{${lane}}:payload:${jobId}`,
    queueEntry: (lane, jobId) => `${namespace}:{${lane}}:queue:${jobId}`,
    queueLock: (lane, jobId) => `${namespace}:{${lane}}:queue:${jobId}:lock`,
    openJobs: (lane) => `${namespace}:{${lane}}:open`,
    outcomes: (lane) => `${namespace}:{${lane}}:outcomes`,
    outcomeExpiry: (lane) => `${namespace}:{${lane}}:outcome-expiry`,
    outcomeBytes: (lane) => `${namespace}:{${lane}}:outcome-bytes`,
    lanes: `${namespace}:lanes`,
    housekeeper: `${namespace}:housekeeper`,
    replyChannel: (replicaId) => `${namespace}:reply:${replicaId}`,
    workers: `${namespace}:workers`,
    usedSignIn: (nonce) => `${namespace}:sign-in:${nonce}`,
    writeProbe: (replicaId) => `${namespace}:probe:${replicaId}`,
  };
}
