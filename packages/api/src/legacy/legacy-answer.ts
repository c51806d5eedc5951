import { traceIdOf, type Job, type OutcomeParts } from '@python3-cluster/shared';
import type { JsonValue } from '../responses/raw-json';
import { traceLink } from '../traces/trace-link';
import { toFailureText } from './failure-text';
import { toLegacyResult, type ResultForm } from './result-form';

/** The answer to exec, eval and call-module: the predecessor's members first, ours beside them. */
export function toLegacyAnswer(job: Job, parts: OutcomeParts, form: ResultForm, jaegerUiUrl: string): JsonValue {
  const { outcome } = parts;
  const end = {
    stdout: parts.stdout.toString('utf8'),
    stderr: parts.stderr.toString('utf8'),
    truncated: outcome.truncated,
    executionTimeMs: outcome.timings.runMs,
    timestamp: Date.now(),
    jobId: job.id,
    traceId: traceIdOf(job.traceparent),
    ...(jaegerUiUrl !== '' && { links: traceLink(jaegerUiUrl, job) }),
    status: outcome.status,
  };
  if (outcome.status === 'succeeded') return { success: true, result: toLegacyResult(job.kind, parts, form), ...end };
  return {
    success: false,
    error: toFailureText(job, outcome),
    errorType: outcome.error?.type ?? null,
    traceback: outcome.error?.traceback ?? '',
    ...end,
  };
}
