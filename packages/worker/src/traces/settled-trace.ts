import {
  ATTRIBUTES, MESSAGING_SYSTEM, parseTraceparent, recordSpan, SPAN_KINDS, SPAN_NAMES, traceNowMs, type Tracing,
} from '@python3-cluster/shared'; // prettier-ignore
import type { SettledEnd } from '../jobs/outcome-writer';
import { errorTypeOf } from './error-type';

interface SettledJob {
  readonly jobId: string;
  readonly lane: string;
  readonly traceparent: string | null;
}

/** The end of a job that nobody runs (any more): cancelled while it waited, or lost by the queue. Sampled ones only. */
export const createSettledTraces =
  (tracing: Tracing, workerId: string) =>
  (target: SettledJob, verdict: SettledEnd): void => {
    const context = parseTraceparent(target.traceparent);
    if (context === undefined || !tracing.isSampled(context.traceId, context)) return;
    const errorType = verdict.status === 'succeeded' ? undefined : errorTypeOf(verdict);
    const span = recordSpan(SPAN_NAMES.settle(target.lane), SPAN_KINDS.consumer, context.spanId, traceNowMs(), {
      [ATTRIBUTES.messagingSystem]: MESSAGING_SYSTEM,
      [ATTRIBUTES.operation]: 'settle',
      [ATTRIBUTES.operationType]: 'settle',
      [ATTRIBUTES.destination]: target.lane,
      [ATTRIBUTES.messageId]: target.jobId,
      [ATTRIBUTES.jobId]: target.jobId,
      [ATTRIBUTES.workerId]: workerId,
      [ATTRIBUTES.status]: verdict.status,
      ...(errorType !== undefined && { [ATTRIBUTES.errorType]: errorType }),
    });
    span.errorType = errorType;
    tracing.export(context.traceId, [span]);
  };
