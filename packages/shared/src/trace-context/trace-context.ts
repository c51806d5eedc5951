import { randomFillSync } from 'node:crypto';

/** A place in a trace, as W3C Trace Context has it (https://www.w3.org/TR/trace-context/). */
export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

export const formatTraceparent = ({ traceId, spanId, isSampled }: TraceContext): string =>
  `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;

/** Reads a traceparent of version 00; undefined where there is none or it is malformed. */
export function parseTraceparent(text: string | null | undefined): TraceContext | undefined {
  const match = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(text ?? '');
  const [, traceId = '', spanId = '', flags = ''] = match ?? [];
  if (match === null || traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Without a check: of what we signed, or have checked. */
export const traceIdOf = (traceparent: string | null): string | null => traceparent?.slice(3, 35) ?? null;

const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);

export const createTraceId = (): string => randomHex(16);
export const createSpanId = (): string => randomHex(8);

/** To ask the generator for a few bytes at a time would cost a request more than all else it does for its trace. */
const pool = Buffer.alloc(4_096);
let used = pool.length;

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const text = pool.toString('hex', used, used + bytes);
  used += bytes;
  // The one id of all that means "none".
  return /[1-9a-f]/.test(text) ? text : randomHex(bytes);
}
