import type { OtlpReceiver, ReceivedSpan } from '../support/otlp-receiver';
import { waitFor } from '../support/wait-for';
import type { Finding, Killed } from './judge-jobs';
import { groupByTrace, isOneTree, isSampledAt, judgeTraces, type ExpectedTrace, type JudgedTraces } from './judge-traces';
import type { AllJobs, ListedJob } from './listed-jobs';
import type { Submission } from './retrying-callers';

export const RATIO = 0.01;
/** What a process has ended it has exported after this time at the latest, however busy the machine. */
const EXPORT_MS = 3_000;

/** Waits until all are there, for a time. */
export async function judgeSpans(
  receiver: OtlpReceiver,
  all: AllJobs,
  submissions: readonly Submission[],
  killed: Killed,
): Promise<Finding[]> {
  const bySubmission = new Map(submissions.map((submission) => [submission.id, submission]));
  const sampled = [...all.jobs.values()].filter(({ traceId }) => isSampledAt(traceId, RATIO));
  const expected = sampled.map((job) => expectTrace(job, bySubmission.get(job.id), killed));
  const judge = (): JudgedTraces => judgeTraces(receiver.spans, expected);
  await waitFor('all traces', () => judge().problems.length === 0).catch(() => undefined);
  const { whole, withoutRequest, withoutAttempt, gone, problems } = judge();
  const line = `sampled traces: of ${expected.length} jobs ${whole} are one whole tree each; killed with what it held: ${withoutRequest} lack the request, ${withoutAttempt} the attempt, ${gone} both`;
  return [
    { line, disagreements: problems.map((problem) => `trace of ${problem}`) },
    judgeOtherTraces(receiver.spans, all, submissions, killed),
  ];
}

/** Of other requests: one span each. Of jobs that failed without being sampled: one tree, with the request if its caller waited. */
function judgeOtherTraces(received: readonly ReceivedSpan[], { jobs }: AllJobs, submissions: readonly Submission[], killed: Killed): Finding {
    const ofJobs = new Map([...jobs.values()].map((job) => [job.traceId, job]));
    const waiting = new Set(submissions.flatMap(({ id, job, tries }) => (job.waits && !mayLackRequest(tries, killed) ? [id] : [])));
    const disagreements: string[] = [];
    const counts = { failed: 0, requests: 0 };
    for (const [traceId, spans] of groupByTrace(received)) {
      const job = ofJobs.get(traceId);
      if (job !== undefined && isSampledAt(traceId, RATIO)) continue;
      counts[job === undefined ? 'requests' : 'failed'] += 1;
      const hasRequest = job === undefined || waiting.has(job.id);
      if (!isOneTree(spans, hasRequest)) disagreements.push(`trace ${traceId} of ${job?.id ?? 'a request'} is not one tree: ${spans.map(({ name }) => name).join(', ')}`);
      if (job?.outcome?.status === 'succeeded') disagreements.push(`${job.id} succeeded, was not sampled, and has a trace`);
    }
    const line = `other traces: ${counts.failed} of jobs that failed and were not sampled, ${counts.requests} of requests without a job of their own`;
    return { line, disagreements };
  } // prettier-ignore

function expectTrace(
  { id, traceId, attempts, finishedAt, worker }: ListedJob,
  submission: Submission | undefined,
  killed: Killed,
): ExpectedTrace {
  const isHeld = (endedAt: number | null): boolean => endedAt === null || endedAt > killed.at - EXPORT_MS;
  const kept = attempts.filter((attempt) => attempt.worker !== killed.node || !isHeld(attempt.finishedAt));
  const isSettledThere = worker === killed.node && isHeld(finishedAt);
  return {
    traceId,
    jobId: id,
    attempts: kept.map(({ number }) => number),
    mayLackRequest: submission === undefined || mayLackRequest(submission.tries, killed),
    mayLackAttempt: kept.length < attempts.length || isSettledThere,
  };
}

function mayLackRequest(tries: Submission['tries'], killed: Killed): boolean {
  return tries.some(({ replica, endedAt }) => replica === killed.replica && endedAt > killed.at - EXPORT_MS);
}
