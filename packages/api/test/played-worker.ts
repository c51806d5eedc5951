import {
  createRedisKeys, defineJobCommands, finishJobKeys, formatTally, LargeContent, MAX_PUBLISHED_BYTES, MAX_STARTS, openJob, sealOutcome,
  type Job, type KeyRing, type OutcomeParts, type QueueEntry, type WorkerHeartbeat,
} from '@python3-cluster/shared'; // prettier-ignore
import { Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { PrivateRedis } from './private-redis';

/** What the played worker node answers to a job; undefined: it takes the job and never finishes it. */
export type Play = (
  job: Job,
  payload: Buffer,
) => (Partial<Omit<OutcomeParts, 'outcome'>> & { outcome?: Partial<OutcomeParts['outcome']> }) | undefined;

/** How it delivers the outcome, where a test wants it delivered badly. */
export interface Delivery {
  /** Replaces the announcement on the reply channel; null drops it. */
  readonly publish?: ((jobId: string, sealed: Buffer) => Buffer) | null;
  readonly seal?: (keyRing: KeyRing, parts: OutcomeParts) => Buffer;
}

/** Stands in for a worker node: takes jobs from the lane `default` and writes sealed outcomes through the finish script. */
export class PlayedWorker {
  readonly taken: Job[] = [];
  private readonly redis: Redis;
  private readonly blocking: Redis;
  private readonly worker: Worker;
  private readonly heart: NodeJS.Timeout;
  private sequence = 0;

  constructor(
    server: PrivateRedis,
    keyRing: KeyRing,
    private readonly namespace: string,
    play: Play,
    delivery: Delivery = {},
  ) {
    const keys = createRedisKeys(namespace);
    this.redis = defineJobCommands(server.connect());
    this.blocking = server.connect();
    this.worker = new Worker(
      keys.queueName,
      async (entry) => {
        const id = entry.id ?? '';
        const data = entry.data as QueueEntry;
        const sealed =
          'stored' in data ? await new LargeContent(this.redis).read(keys.jobPayload('default', id)) : Buffer.from(data.sealed);
        const opened = sealed && openJob(keyRing, 'default', id, sealed);
        if (!opened) throw new Error('a job that does not verify');
        const { job, payload } = opened;
        this.taken.push(job);
        const record = keys.jobRecord(job.lane, id);
        await this.redis.takeJob(record, 'token', 'played', Date.now(), job.delivery, MAX_STARTS, 'run');
        const played = play(job, payload);
        if (played === undefined) return;
        const parts = toParts(job, played);
        const outcome = (delivery.seal ?? sealOutcome)(keyRing, parts);
        const channel = delivery.publish === undefined ? (job.replyTo ?? '') : '';
        if (delivery.publish && job.replyTo) await this.redis.publish(job.replyTo, delivery.publish(id, outcome));
        await this.redis.finishJob(
          ...finishJobKeys(keys, job.lane, id),
          'token',
          outcome,
          job.resultTtlMs,
          channel,
          id,
          MAX_PUBLISHED_BYTES,
          formatTally({
            status: parts.outcome.status,
            kind: job.kind,
            program: job.program,
            worker: 'played',
            errorType: parts.outcome.error?.type,
          }),
        );
      },
      { connection: this.blocking, prefix: keys.queuePrefix('default'), concurrency: 8 },
    );
    this.worker.on('error', () => undefined);
    this.heart = setInterval(() => void this.beat().catch(() => undefined), 200);
  }

  async beat(): Promise<void> {
    this.sequence += 1;
    const heartbeat: WorkerHeartbeat = {
      id: 'played', nodeName: 'played', pid: 1, version: '0', lanes: ['default'], level: 'D',
      isolation: { layers: { uid: false, namespaces: false, landlockAbi: 0, seccomp: false }, reasons: { uid: 'x', namespaces: 'x', landlock: 'x', seccomp: 'x' } },
      python: { version: '3.11.2', fullVersion: '3.11.2 (main)', executable: '/usr/bin/python3' },
      pool: { size: 3, max: 4, inUse: 1, healthy: 3, waiting: 0 },
      startedAt: 1, sequence: this.sequence, draining: false,
    }; // prettier-ignore
    await this.redis.hset(createRedisKeys(this.namespace).workers, 'played', JSON.stringify(heartbeat));
  }

  async stop(): Promise<void> {
    clearInterval(this.heart);
    await this.worker.close(true).catch(() => undefined);
    this.redis.disconnect();
    this.blocking.disconnect();
  }
}

function toParts(job: Job, played: NonNullable<ReturnType<Play>>): OutcomeParts {
  const value = played.value ?? Buffer.alloc(0);
  return {
    value,
    stdout: played.stdout ?? Buffer.alloc(0),
    stderr: played.stderr ?? Buffer.alloc(0),
    outcome: {
      version: 1, jobId: job.id, status: 'succeeded', hasValue: value.length > 0, error: null, truncated: false, limitsHit: [],
      timings: { queuedMs: 1, runMs: 2, totalMs: 3, cpuMs: 1, maxMemoryBytes: 1 }, worker: 'played', level: 'D',
      attempts: [{ number: 1, worker: 'played', startedAt: 1 }], finishedAt: Date.now(), ...played.outcome,
    },
  }; // prettier-ignore
}
