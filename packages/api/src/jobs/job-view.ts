import type { ListedJob } from '../dispatch/job-list';
import {
  DEFAULT_PRIORITY,
  traceIdOf,
  type Attempt,
  type Job,
  type JobState,
  type Outcome,
  type OutcomeParts,
} from '@python3-cluster/shared';
import { traceLink } from '../traces/trace-link';
import { RawJson, type JsonValue } from '../responses/raw-json';

export interface JobViewParts {
  readonly job: Job;
  readonly state: JobState;
  readonly attempts: readonly Attempt[];
  readonly parts: OutcomeParts | undefined;
  readonly cancelRequestedAt?: number | null;
  readonly retryAt?: number | null;
}

export const jobPath = (jobId: string): string => `/api/v1/jobs/${jobId}`;

/** A job as the modern surface shows it. Points in time are epoch milliseconds. */
export function toJobView({ job, state, attempts, parts, cancelRequestedAt, retryAt }: JobViewParts, jaegerUiUrl: string): JsonValue {
  return {
    id: job.id,
    kind: job.kind,
    mode: job.mode,
    isolation: isolationOf(job, parts?.outcome),
    lane: job.lane,
    state: parts ? 'finished' : state,
    ...(parts ? { ...toEndedView(parts.outcome), outcome: toOutcomeView(parts) } : toUnendedView(attempts)),
    ...toOptionsView(job, parts ? null : retryAt),
    traceId: traceIdOf(job.traceparent),
    createdAt: job.issuedAt,
    cancelRequestedAt: cancelRequestedAt ?? null,
    links: { self: jobPath(job.id), ...traceLink(jaegerUiUrl, job) },
  };
}

/** What the job had; until that is known, what was asked for. */
const isolationOf = (job: Job, outcome: Outcome | undefined): string => outcome?.isolation ?? job.isolation;

/** A job in a list: metadata only, so no value, output or text of an error, all of which may hold a caller's data. */
export function toListedView({ job, state, attempts, cancelRequestedAt, retryAt, outcome }: ListedJob, jaegerUiUrl: string): JsonValue {
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
    attempts: (outcome?.attempts ?? attempts).map(toListedAttemptView),
    ...toOptionsView(job, outcome ? null : retryAt),
    links: { self: jobPath(job.id), ...traceLink(jaegerUiUrl, job) },
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

/** `status` is null while an attempt runs. */
const toAttemptView = ({ number, worker, startedAt, status, error, finishedAt }: Attempt): Record<string, JsonValue> => ({
  number,
  worker,
  startedAt,
  status: status ?? null,
  error: error ? { type: error.type, message: error.message } : null,
  finishedAt: finishedAt ?? null,
});

/** As a list shows them: a message may hold a caller's data. */
const toListedAttemptView = (attempt: Attempt): JsonValue => ({
  ...toAttemptView(attempt),
  error: attempt.error ? { type: attempt.error.type } : null,
});

/** `startAfter`: before which the job does not start, be it its delay or the pause before a retry. */
function toOptionsView(job: Job, retryAt: number | null | undefined): Record<string, JsonValue> {
  const startAfter = Math.max(job.startAfter ?? 0, retryAt ?? 0);
  return { priority: job.priority ?? DEFAULT_PRIORITY, labels: job.labels ?? {}, startAfter: startAfter === 0 ? null : startAfter };
}
