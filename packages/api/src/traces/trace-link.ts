import { traceIdOf, type Job } from '@python3-cluster/shared';

/** `trace`: where a job's trace can be looked at, if it was exported; nothing without `JAEGER_UI_URL`. */
export function traceLink(jaegerUiUrl: string, { traceparent }: Pick<Job, 'traceparent'>): { readonly trace?: string } {
  const traceId = traceIdOf(traceparent);
  return jaegerUiUrl === '' || traceId === null ? {} : { trace: `${jaegerUiUrl}/trace/${traceId}` };
}
