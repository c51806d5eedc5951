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
  /** Hash of pieces: sealed content of a job too large for the queue entry (`large-content.ts`, as the next two). */
  readonly jobPayload: (lane: string, jobId: string) => string;
  /** Hash of pieces: sealed outcome too large for the record. Scripts derive it from the record's key. */
  readonly jobOutcome: (lane: string, jobId: string) => string;
  /** Hash of pieces, short-lived: content on its way to one of those places. */
  readonly staged: (lane: string, token: string) => string;
  /** BullMQ's hash of a queued job; it exists as long as the queue knows the job. */
  readonly queueEntry: (lane: string, jobId: string) => string;
  /** BullMQ's lock of a job that a worker node holds; its value is that node's token. */
  readonly queueLock: (lane: string, jobId: string) => string;
  /** Sorted set: jobs that were accepted and have no outcome; score: epoch ms of acceptance. */
  readonly openJobs: (lane: string) => string;
  /** Sorted set: `<job id> <bytes>` of an owner's records with an outcome; score: epoch ms of its end. Scripts derive it, too. */
  readonly outcomes: (lane: string, owner: string) => string;
  /** Sorted set: `<job id> <bytes> <owner>` of all of them; score: epoch ms at which the record expires. */
  readonly outcomeExpiry: (lane: string) => string;
  /** Sorted set: jobs whose outcome is no longer kept, and why (`gone-jobs.ts`). */
  readonly gone: (lane: string) => string;
  /** Hash: owner → sum of the bytes in its `outcomes`. */
  readonly outcomeBytes: (lane: string) => string;
  /** Hash: the lane's counters since the store began; this key and the next three: `metrics/tally-scripts.ts`, which derives them. */
  readonly counts: (lane: string) => string;
  /** Hash: the lane's counters of one minute of Redis' clock. */
  readonly minuteCounts: (lane: string, minute: number) => string;
  /** Sorted sets: names that are counted for themselves, and for each a hash. */
  readonly countedNames: (lane: string, family: 'programs' | 'callers' | 'errors') => string;
  readonly namedCounts: (lane: string, member: 'program' | 'caller', name: string) => string;
  /** Hash: program and owner → sealed, by what people know it again (`program-notes.ts`). */
  readonly programNotes: (lane: string) => string;
  /** Hash, an hour: keys of the lane that a script could not use, and why (`script-guards.ts`). */
  readonly damaged: (lane: string) => string;
  /** String, a minute: the last batch of samples of a worker node that was added. */
  readonly samplesMark: (lane: string, workerId: string) => string;
  /** Set: every lane a worker node has served. */
  readonly lanes: string;
  /** String, short-lived: id of the worker node that does the housekeeping. */
  readonly housekeeper: string;
  /** String, short-lived: the claim of the API replica that is elected (`elected-replica.ts`). What it alone writes has its hash tag. */
  readonly elected: string;
  /** Sorted set: the cluster's figures minute by minute, newest 100 (JSON); score: the minute. */
  readonly figureHistory: string;
  /** Sorted set: ids of jobs whose cancellation was asked for and that have no outcome yet, by time (`job-cancel.ts`). */
  readonly cancels: (lane: string) => string;
  /** Channel on which the worker nodes of a lane hear of them. */
  readonly cancelChannel: (lane: string) => string;
  /** Sorted set: ids of an owner's newest jobs, by the time they were accepted. */
  readonly ownerJobs: (owner: string) => string;
  /** The same for all owners. */
  readonly allJobs: string;
  /** Integer: payload bytes of the lane's jobs that are not finished. `FINISH_SCRIPT` derives it from a record's key. */
  readonly queuedBytes: (lane: string) => string;
  /** String, sealed: which job a caller's `Idempotency-Key` stands for. */
  readonly idempotency: (ownerHash: string, keyHash: string) => string;
  /** Sorted set: the caller's keys of that kind, by age. */
  readonly idempotencyIndex: (ownerHash: string) => string;
  /** String, short-lived: written to learn whether a replica has what was written before (`replica-confirmation.ts`). */
  readonly replicaMark: (lane: string) => string;
  /** Channel on which an API replica hears of outcomes its callers wait for. */
  readonly replyChannel: (replicaId: string) => string;
  /** Channel on which the worker nodes of a lane hear which jobs are watched (`output-watch.ts`). */
  readonly watchChannel: (lane: string) => string;
  /** Channel on which one worker node hears the same, from those it has answered before. */
  readonly nodeWatchChannel: (workerId: string) => string;
  /** Channel on which API replicas hear of jobs that nobody sampled and whose spans were exported: the job's id. */
  readonly tracedChannel: string;
  /** Channel on which an API replica hears the output of the jobs its callers watch. */
  readonly outputChannel: (replicaId: string) => string;
  /** Hash: worker id → heartbeat (JSON). */
  readonly workers: string;
  /** String, short-lived: a sign-in link that has been used. */
  readonly usedSignIn: (nonce: string) => string;
  /** Hash: id → sealed quarantine record (`quarantine-record.ts`). */
  readonly quarantine: string;
  /** Integer, one more with each change of that hash. */
  readonly quarantineVersion: string;
  /** String, short-lived: id of the job that tries a quarantined program once its time is over. */
  readonly quarantineTrial: (id: string) => string;
  /** Channel on which worker nodes share how suspect programs ended, and hear that the hash has changed. */
  readonly quarantineChannel: string;
  /** Hash: name and subject → sealed alert that is not resolved (`alert.ts`). */
  readonly alerts: string;
  /** List: sealed alerts that are, newest first. */
  readonly alertHistory: string;
  /** List: sealed steps of alerts that the webhook has not been told of yet, oldest first. */
  readonly alertOutbox: string;
  /** The same of the second and third webhook. */
  readonly alertOutbox2: string;
  readonly alertOutbox3: string;
  /** Hash: name and subject → sealed, what happened last of that kind (`alert-events.ts`). */
  readonly alertEvents: string;
  /** String, sealed: which signing key the cluster has (`signing-probe.ts`). */
  readonly signingProbe: string;
  /** String, short-lived: how often and since when a job was handed back by worker nodes that have not got its key. */
  readonly handedBack: (lane: string, jobId: string) => string;
  /** String that is written and expires, to learn whether Redis takes writes. */
  readonly writeProbe: (replicaId: string) => string;
}

export function createRedisKeys(namespace: string): RedisKeys {
  return {
    queuePrefix: (lane) => `${namespace}:{${lane}}`,
    queueName: 'queue',
    jobRecord: (lane, jobId) => `${namespace}:{${lane}}:job:${jobId}`,
    jobPayload: (lane, jobId) => `${namespace}:{${lane}}:payload:${jobId}`,
    jobOutcome: (lane, jobId) => `${namespace}:{${lane}}:outcome:${jobId}`,
    staged: (lane, token) => `${namespace}:{${lane}}:staged:${token}`,
    queueEntry: (lane, jobId) => `${namespace}:{${lane}}:queue:${jobId}`,
    queueLock: (lane, jobId) => `${namespace}:{${lane}}:queue:${jobId}:lock`,
    openJobs: (lane) => `${namespace}:{${lane}}:open`,
    outcomes: (lane, owner) => `${namespace}:{${lane}}:outcomes:${owner}`,
    outcomeExpiry: (lane) => `${namespace}:{${lane}}:outcome-expiry`,
    gone: (lane) => `${namespace}:{${lane}}:gone`,
    outcomeBytes: (lane) => `${namespace}:{${lane}}:owner-bytes`,
    counts: (lane) => `${namespace}:{${lane}}:counts`,
    minuteCounts: (lane, minute) => `${namespace}:{${lane}}:minute:${minute}`,
    countedNames: (lane, family) => `${namespace}:{${lane}}:${family}`,
    namedCounts: (lane, member, name) => `${namespace}:{${lane}}:${member}:${name}`,
    programNotes: (lane) => `${namespace}:{${lane}}:program-notes`,
    damaged: (lane) => `${namespace}:{${lane}}:damaged`,
    samplesMark: (lane, workerId) => `${namespace}:{${lane}}:samples:${workerId}`,
    lanes: `${namespace}:lanes`,
    housekeeper: `${namespace}:housekeeper`,
    elected: `${namespace}:{~elected}:replica`,
    figureHistory: `${namespace}:{~elected}:figures`,
    cancels: (lane) => `${namespace}:{${lane}}:cancels`,
    cancelChannel: (lane) => `${namespace}:{${lane}}:cancel`,
    ownerJobs: (owner) => `${namespace}:jobs:${owner}`,
    allJobs: `${namespace}:jobs`,
    queuedBytes: (lane) => `${namespace}:{${lane}}:queued-bytes`,
    idempotency: (ownerHash, keyHash) => `${namespace}:{~${ownerHash}}:once:${keyHash}`,
    idempotencyIndex: (ownerHash) => `${namespace}:{~${ownerHash}}:once`,
    replicaMark: (lane) => `${namespace}:{${lane}}:replica-mark`,
    replyChannel: (replicaId) => `${namespace}:reply:${replicaId}`,
    tracedChannel: `${namespace}:traced`,
    watchChannel: (lane) => `${namespace}:{${lane}}:watch`,
    nodeWatchChannel: (workerId) => `${namespace}:watch:${workerId}`,
    outputChannel: (replicaId) => `${namespace}:output:${replicaId}`,
    workers: `${namespace}:workers`,
    usedSignIn: (nonce) => `${namespace}:sign-in:${nonce}`,
    quarantine: `${namespace}:quarantine`,
    quarantineVersion: `${namespace}:quarantine-version`,
    quarantineTrial: (id) => `${namespace}:quarantine-trial:${id}`,
    quarantineChannel: `${namespace}:quarantine-news`,
    alerts: `${namespace}:{~elected}:alerts`,
    alertHistory: `${namespace}:{~elected}:alert-history`,
    alertOutbox: `${namespace}:{~elected}:alert-outbox`,
    alertOutbox2: `${namespace}:{~elected}:alert-outbox-2`,
    alertOutbox3: `${namespace}:{~elected}:alert-outbox-3`,
    alertEvents: `${namespace}:alert-events`,
    signingProbe: `${namespace}:signing-probe`,
    handedBack: (lane, jobId) => `${namespace}:{${lane}}:handed-back:${jobId}`,
    writeProbe: (replicaId) => `${namespace}:probe:${replicaId}`,
  };
}
