import { randomUUID } from 'node:crypto';
import { call, legacy, type Answer, type CallOptions } from '../support/call';
import { pause } from '../support/pause';
import { ADMIN_KEY, DEVELOPER_KEY, type TestCluster } from '../support/test-cluster';
import { createMixedJob, type MixedJob } from './mixed-jobs';

/** A request that was made of a replica, once. Epoch milliseconds. */
export interface Try {
  readonly replica: number;
  /** When its connection broke, or it was answered. */
  readonly endedAt: number;
  /** Whether the caller cannot tell if it was accepted. */
  readonly isBroken: boolean;
}

export interface Submission {
  readonly job: MixedJob;
  readonly tries: readonly Try[];
  /** What its caller was told; undefined: nothing. */
  readonly id: string | undefined;
  /** Status of the outcome, where the caller was told that, too. */
  readonly status: string | undefined;
}

const MOST_TRIES = 60;
const RETRY_MS = 250;

/**
 * Callers that send the jobs of a mix, each its next one when it has its answer. Where a connection breaks or a replica
 * refuses they ask the next replica: with the same `Idempotency-Key` on the modern surface. The predecessor's has none, so
 * there a broken request is left at that, as nobody can tell whether it was accepted.
 */
export class RetryingCallers {
  readonly submissions: Submission[] = [];
  /** Refusals by code; each was tried again. */
  readonly refusals: Record<string, number> = {};
  private next = 0;

  constructor(
    private readonly cluster: TestCluster,
    private readonly jobs: number,
  ) {}

  /** How many have been answered. */
  get done(): number {
    return this.submissions.length;
  }

  /** Sends all of them. */
  async run(callers: number): Promise<void> {
    await Promise.all(Array.from({ length: callers }, () => this.call()));
  }

  private async call(): Promise<void> {
    while (this.next < this.jobs) {
      const number = this.next++;
      this.submissions.push(await this.submit(createMixedJob(number, this.jobs), number));
    }
  }

  private async submit(job: MixedJob, number: number): Promise<Submission> {
    const tries: Try[] = [];
    const once = randomUUID();
    while (tries.length < MOST_TRIES) {
      const replica = this.pick(number + tries.length);
      const answer = await this.send(job, once, replica).catch(() => undefined);
      const isBroken = answer === undefined || isUncertain(answer);
      tries.push({ replica, endedAt: Date.now(), isBroken });
      if (isBroken && job.route !== 'jobs') return { job, tries, id: undefined, status: undefined };
      if (answer === undefined) continue;
      if (answer.status < 300) return this.accept(job, tries, answer, number);
      await this.noteRefusal(answer);
    }
    throw new Error(`job ${number} (${job.name}) was not accepted: ${JSON.stringify(this.refusals)}`);
  }

  private async accept(job: MixedJob, tries: readonly Try[], answer: Answer, number: number): Promise<Submission> {
    const id = (answer.json?.id ?? answer.json?.jobId) as string | undefined;
    if (id !== undefined && job.isCancelled) await this.cancel(id, number);
    return { job, tries, id, status: statusIn(answer) };
  }

  private send({ route, body, asAdmin, waits }: MixedJob, once: string, replica: number): Promise<Answer> {
    const options = { replica, key: asAdmin ? ADMIN_KEY : DEVELOPER_KEY };
    if (route !== 'jobs') return legacy(this.cluster, route, body, options);
    const headers = { 'idempotency-key': once, ...(waits && { prefer: 'wait=60' }) };
    return call(this.cluster, '/api/v1/jobs', body, { ...options, headers });
  }

  private async cancel(id: string, number: number): Promise<void> {
    for (let count = 0; count < MOST_TRIES; count += 1) {
      const options: CallOptions = { method: 'DELETE', key: ADMIN_KEY, replica: this.pick(number + count) };
      const answer = await call(this.cluster, `/api/v1/jobs/${id}`, undefined, options).catch(() => undefined);
      if (answer !== undefined && answer.status < 300) return;
      if (answer !== undefined) await this.noteRefusal(answer);
    }
    throw new Error(`${id} was not cancelled: ${JSON.stringify(this.refusals)}`);
  }

  private async noteRefusal({ status, json }: Answer): Promise<void> {
    const code = String(json?.error?.code ?? json?.code ?? status);
    this.refusals[code] = (this.refusals[code] ?? 0) + 1;
    await pause(RETRY_MS);
  }

  /** One that is known to be dead is asked no more. */
  private pick(number: number): number {
    const up = this.cluster.apis.map(({ process }, replica) => ({ process, replica })).filter(({ process }) => process.signalCode === null);
    return up[number % up.length]?.replica ?? 0;
  }
}

/** The predecessor's routes name a job that may have been accepted. */
const isUncertain = ({ status, json }: Answer): boolean => status >= 300 && json?.jobId !== undefined;

const statusIn = ({ json, status }: Answer): string | undefined =>
  json?.outcome?.status ?? (status === 200 && json?.success === true ? 'succeeded' : (json?.status ?? undefined));
