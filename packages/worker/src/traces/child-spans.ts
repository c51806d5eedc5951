import { OWN_ATTRIBUTE_PREFIX, toAttributeText, type SpanAttributes } from '@python3-cluster/shared';

/** What a child says of its own run, `spans` of its result; docs/wire-protocol.md §1.2. Times are epoch milliseconds here. */
export interface ChildSpans {
  readonly compile: Interval | null;
  readonly execute: Interval | null;
  /** Those the program opened, in the order of their opening. */
  readonly user: readonly UserSpan[];
  /** Spans, attributes and values the child left out, as they were beyond the bounds. */
  readonly dropped: number;
}

export type Interval = readonly [startMs: number, endMs: number];

export interface UserSpan {
  readonly name: string;
  /** Index of an earlier one, or -1: the execution itself. */
  readonly parent: number;
  readonly interval: Interval;
  readonly attributes: SpanAttributes;
  /** Class of the exception that ended it. */
  readonly errorType: string | null;
}

/** Why the whole list is dropped. */
export type SpanRefusal = 'shape' | 'count' | 'name' | 'time' | 'parent' | 'attributes' | 'bytes';

/** The child's, in UTF-16 units, of which a character may take two. */
const SPAN_BOUNDS = {
  spans: 64,
  nameUnits: 2 * 128,
  attributes: 16,
  keyUnits: 64,
  valueUnits: 2 * 256,
  /** Names, keys and values together. */
  units: 16_384,
} as const;

const ATTRIBUTE_KEY = /^[A-Za-z][A-Za-z0-9_.-]*$/;

class Refused extends Error {
  readonly reason: SpanRefusal;

  constructor(reason: SpanRefusal) {
    super(reason);
    this.reason = reason;
  }
}

/**
 * Reads what a child says of its spans, which is hostile input: user code runs in the same process. Within the bounds it is
 * believed as to names, attributes and nesting; times are the child's too, and put inside the execution, and that inside the run. Anything else, and the
 * whole list is dropped: it never fails the job.
 */
export function readChildSpans(said: unknown, run: Interval): ChildSpans | SpanRefusal {
  try {
    const { compile, execute, user, dropped } = asObject(said);
    if (!Array.isArray(user) || !Number.isSafeInteger(dropped) || (dropped as number) < 0) throw new Refused('shape');
    if (user.length > SPAN_BOUNDS.spans) throw new Refused('count');
    const text = { left: SPAN_BOUNDS.units };
    const executed = execute === null ? null : readInterval(execute, run);
    return {
      compile: compile === null ? null : readInterval(compile, run),
      execute: executed,
      user: user.map((span, index) => readUserSpan(span, index, executed ?? run, text)),
      dropped: dropped as number,
    };
  } catch (error) {
    if (error instanceof Refused) return error.reason;
    throw error;
  }
}

/** `[name, parent, start, end, attributes, error type or null]` */
function readUserSpan(said: unknown, index: number, within: Interval, text: { left: number }): UserSpan {
  if (!Array.isArray(said) || said.length !== 6) throw new Refused('shape');
  const [name, parent, start, end, attributes, errorType] = said as readonly unknown[];
  if (typeof name !== 'string' || name === '' || name.length > SPAN_BOUNDS.nameUnits) throw new Refused('name');
  if (!Number.isSafeInteger(parent) || (parent as number) < -1 || (parent as number) >= index) throw new Refused('parent');
  spend(text, name.length);
  return {
    name: toAttributeText(name, SPAN_BOUNDS.nameUnits),
    parent: parent as number,
    interval: readInterval([start, end], within),
    attributes: readAttributes(attributes, text),
    errorType: readErrorType(errorType, text),
  };
}

function readErrorType(said: unknown, text: { left: number }): string | null {
  if (said === null) return null;
  if (typeof said !== 'string' || said.length > SPAN_BOUNDS.nameUnits) throw new Refused('shape');
  spend(text, said.length);
  return toAttributeText(said, SPAN_BOUNDS.nameUnits);
}

function readAttributes(said: unknown, text: { left: number }): SpanAttributes {
  const entries = Object.entries(asObject(said));
  if (entries.length > SPAN_BOUNDS.attributes) throw new Refused('attributes');
  const attributes: SpanAttributes = {};
  for (const [key, value] of entries) {
    if (key.length > SPAN_BOUNDS.keyUnits || !ATTRIBUTE_KEY.test(key) || !isAttributeValue(value)) throw new Refused('attributes');
    spend(text, key.length + (typeof value === 'string' ? value.length : 0));
    // What we say of a job cannot be said by the job.
    if (key.startsWith(OWN_ATTRIBUTE_PREFIX)) throw new Refused('attributes');
    attributes[key] = typeof value === 'string' ? toAttributeText(value, SPAN_BOUNDS.valueUnits) : value;
  }
  return attributes;
}

function isAttributeValue(value: unknown): value is string | number | boolean {
  if (typeof value === 'string') return value.length <= SPAN_BOUNDS.valueUnits;
  return typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value));
}

/** Whole microseconds since the epoch, put inside the run. */
function readInterval(said: unknown, [from, to]: Interval): Interval {
  const [start, end] = Array.isArray(said) && said.length === 2 ? (said as readonly unknown[]) : [];
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) throw new Refused('time');
  const startMs = Math.min(to, Math.max(from, (start as number) / 1_000));
  return [startMs, Math.min(to, Math.max(startMs, (end as number) / 1_000))];
}

function spend(text: { left: number }, characters: number): void {
  text.left -= characters;
  if (text.left < 0) throw new Refused('bytes');
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Refused('shape');
  return value as Readonly<Record<string, unknown>>;
}
