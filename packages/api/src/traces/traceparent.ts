/**
 * The caller's W3C trace context, as version 00, or null where there is none or it is malformed (which the
 * recommendation tells receivers to ignore: https://www.w3.org/TR/trace-context/#traceparent-header).
 */
export function readTraceparent(header: string | readonly string[] | undefined): string | null {
  if (typeof header !== 'string') return null;
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(header.trim());
  if (match === null) return null;
  const [, version, traceId = '', parentId = '', flags = '', rest] = match;
  if (version === 'ff' || (version === '00' && rest !== undefined) || /^0+$/.test(traceId) || /^0+$/.test(parentId)) return null;
  return `00-${traceId}-${parentId}-${flags}`;
}
