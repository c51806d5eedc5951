import { ClusterError, isClusterError } from '@python3-cluster/shared';

/** What became of the first job, a sign of life: what it answered, or that it waits its turn like every other. */
export type FirstJob =
  { readonly state: 'answered'; readonly answer: string; readonly ms: number } | { readonly state: 'waiting'; readonly why: string };

export interface FirstJobOptions {
  readonly address: string;
  readonly key: string;
  /** One that a worker node of this start serves. */
  readonly lane: string;
  /** Hears how far it is. */
  readonly report?: (line: string) => void;
  /** Ends the wait: why nothing can come of this start any more. */
  readonly failure: () => string | undefined;
  readonly upTimeoutMs?: number;
  readonly waitSeconds?: number;
}

const FIRST_CODE = 'result = 2 ** 100';
const UP_TIMEOUT_MS = 60_000;
const WAIT_SECONDS = 5;
const POLL_MS = 25;
const NO_ANSWER = 'no answer';

/** The cluster is up, and has more to do than it can at the moment. */
const BUSY = ['POOL_BUSY', 'QUEUE_FULL', 'OUTCOME_UNKNOWN', 'PROGRAM_QUARANTINED', 'expired', 'Expired'];
/** It will not be otherwise a moment later. */
const REFUSED = [400, 401, 403, 404];

/**
 * Waits until the API answers and a worker node serves the lane, and sends a job. That the job has to wait is no failure:
 * the cluster may have come back to a backlog.
 * @throws ClusterError START_FAILED
 */
export async function runFirstJob(options: FirstJobOptions): Promise<FirstJob> {
  const { failure, upTimeoutMs = UP_TIMEOUT_MS } = options;
  const deadline = Date.now() + upTimeoutMs;
  let last = NO_ANSWER;
  let isAnswering = false;
  while (Date.now() < deadline) {
    const why = failure();
    if (why !== undefined) throw new ClusterError('START_FAILED', why);
    const tried = await tryOnceReady(options).catch((error: unknown) => {
      if (isClusterError(error)) throw error;
      return `${NO_ANSWER}: ${String(error)}`;
    });
    if (typeof tried === 'object') return tried;
    last = tried;
    if (!isAnswering && !tried.startsWith(NO_ANSWER)) options.report?.('The API answers; the worker node is on its way …');
    isAnswering ||= !tried.startsWith(NO_ANSWER);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new ClusterError('START_FAILED', `The cluster did not come up within ${upTimeoutMs / 1_000} s: ${last}`);
}

/** A text says why there is no more to say yet. Sent before, the job would be refused again and again. */
async function tryOnceReady(options: FirstJobOptions): Promise<FirstJob | string> {
  const response = await fetch(`${options.address}/health/ready?lane=${options.lane}`);
  const text = await response.text();
  return response.ok ? tryJob(options) : text;
}

async function tryJob({ address, key, lane, waitSeconds = WAIT_SECONDS }: FirstJobOptions): Promise<FirstJob | string> {
  const startedAt = performance.now();
  const response = await fetch(`${address}/api/v1/jobs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', prefer: `wait=${waitSeconds}` },
    // Before others that wait; expires long before somebody wonders where it comes from.
    body: JSON.stringify({ code: FIRST_CODE, lane, priority: 1, expiresInMs: 60_000 }),
  });
  const text = await response.text();
  return judgeAnswer(response.status, text, performance.now() - startedAt);
}

interface Answer {
  readonly error?: { readonly code: string };
  readonly outcome?: { readonly status: string; readonly error?: { readonly type: string } | null } | null;
}

const reasonOf = ({ error, outcome }: Answer): string => error?.code ?? outcome?.error?.type ?? outcome?.status ?? 'no outcome';

function judgeAnswer(status: number, text: string, ms: number): FirstJob | string {
  if (status === 202) return { state: 'waiting', why: 'other jobs have the slots' };
  const answered = JSON.parse(text) as Answer;
  const why = reasonOf(answered);
  if (BUSY.includes(why)) return { state: 'waiting', why };
  // Raw: Node would round the number.
  const answer = /"value":(\d+)/.exec(text)?.[1];
  if (answered.outcome?.status === 'succeeded' && answer !== undefined) return { state: 'answered', answer, ms };
  if (answered.error !== undefined && !REFUSED.includes(status)) return text;
  throw new ClusterError('START_FAILED', `The first job was refused or failed: ${text}`);
}
