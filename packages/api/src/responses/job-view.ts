import type { ListedJob } from '../dispatch/job-list';
import type { Attempt, Job, JobState, Outcome, OutcomeParts } from '@python3-cluster/shared';
import { traceIdOf } from '../requests/traceparent';
import { RawJson, type JsonValue } from './raw-json';

export interface JobViewParts {
  readonly job: Job;
  readonly state: JobState;
  readonly attempts: readonly Attempt[];
  readonly parts: OutcomeParts | undefined;
  readonly cancelRequestedAt?: number | null;
}

export const jobPath = (jobId: string): string => `/api/v1/jobs/${jobId}`;

/** A job as the modern surface shows it. Points in time are epoch milliseconds. */
export function toJobView({ job, state, attempts, parts, cancelRequestedAt }: JobViewParts): JsonValue {
  return {
    id: job.id,
    kind: job.kind,
    mode: job.mode,
    isolation: isolationOf(job, parts?.outcome),
    lane: job.lane,
    state: parts ? 'finished' : state,
    ...(parts ? { ...toEndedView(parts.outcome), outcome: toOutcomeView(parts) } : toUnendedView(attempts)),
    traceId: traceIdOf(job.traceparent),
    createdAt: job.issuedAt,
    cancelRequestedAt: cancelRequestedAt ?? null,
    links: { self: jobPath(job.id) },
  };
}

/** What the job had; until that is known, what was asked for. */
const isolationOf = (job: Job, outcome: Outcome | undefined): string => outcome?.isolation ?? job.isolation;

/** A job in a list: metadata only, so no value, output or text of an error, all of which may hold a caller's data. */
export function toListedView({ job, state, attempts, cancelRequestedAt, outcome }: ListedJob): JsonValue {
  return {
    id: job.id,
    owner: job.owner,
    kind: job.kind,
    mode: job.mode,
    isolation: isolationOf(job, outcome),
    lane: job.lane,
    state,
    traceId: traceIdOf(job.traceparent),
    createdAt: job.issuedAt,
    cancelRequestedAt,
    ...(outcome === undefined ? toUnendedView(attempts) : toEndedView(outcome)),
    links: { self: jobPath(job.id) },
  };
}

const toUnendedView = (attempts: readonly Attempt[]): Record<string, JsonValue> => ({
  level: null,
  outcome: null,
  timings: null,
  worker: attempts.at(-1)?.worker ?? null,
  attempts: attempts.map(toAttemptView),
  limitsHit: [],
  finishedAt: null,
});

function toEndedView(outcome: Outcome): Record<string, JsonValue> {
  const { status, truncated, error, level, worker, attempts, limitsHit, finishedAt } = outcome;
  return {
    level,
    outcome: { status, truncated, error: error && { type: error.type } },
    timings: toTimingsView(outcome),
    worker,
    attempts: attempts.map(toAttemptView),
    limitsHit,
    finishedAt,
  };
}

function toOutcomeView({ outcome, value, stdout, stderr }: OutcomeParts): JsonValue {
  const { error } = outcome;
  return {
    status: outcome.status,
    value: outcome.hasValue ? new RawJson(value) : null,
    stdout: stdout.toString('utf8'),
    stderr: stderr.toString('utf8'),
    truncated: outcome.truncated,
    error: error && { type: error.type, message: error.message, line: error.line, traceback: error.traceback },
  };
}

function toTimingsView({ timings }: Outcome): JsonValue {
  const { queuedMs, runMs, totalMs, cpuMs, maxMemoryBytes } = timings;
  return { queuedMs, runMs, totalMs, cpuMs, maxMemoryBytes };
}

const toAttemptView = ({ number, worker, startedAt }: Attempt): JsonValue => ({ number, worker, startedAt });
