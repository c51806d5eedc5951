import { createHash } from 'node:crypto';

/**
 * The id of an attempt's span, which a later attempt on another worker node can tell without being told: retries and starts
 * after a loss are links to the first attempt, and nothing of it has to be kept in Redis for that.
 */
export function attemptSpanId(traceId: string, jobId: string, attempt: number): string {
  return createHash('sha256').update(`python3-cluster/span\n${traceId}\n${jobId}\n${attempt}`).digest('hex').slice(0, 16);
}
