import type { Outcome, OutcomeParts } from './outcome';

/**
 * Content of an outcome record, before sealing:
 *
 *   {"outcome": {…}, "bytes": [value, stdout, stderr]} LF value stdout stderr
 */
export function formatOutcome(parts: OutcomeParts): Buffer {
  const bytes = [parts.value.length, parts.stdout.length, parts.stderr.length];
  const head = JSON.stringify({ outcome: parts.outcome, bytes });
  return Buffer.concat([Buffer.from(`${head}\n`), parts.value, parts.stdout, parts.stderr]);
}

/** The node that claims to have signed; needed to choose the key that checks the claim. */
export function readClaimedWorker(content: Buffer): string | undefined {
  const head = parseHead(content);
  return typeof head?.outcome.worker === 'string' ? head.outcome.worker : undefined;
}

/** Reads what `formatOutcome` wrote; undefined if the lengths do not fit. Call it on verified content only. */
export function parseOutcome(content: Buffer): OutcomeParts | undefined {
  const head = parseHead(content);
  if (head === undefined) return undefined;
  const [value, stdout, stderr] = head.bytes;
  const start = head.end;
  if (start + value + stdout + stderr !== content.length) return undefined;
  return {
    outcome: head.outcome,
    value: content.subarray(start, start + value),
    stdout: content.subarray(start + value, start + value + stdout),
    stderr: content.subarray(start + value + stdout),
  };
}

interface Head {
  readonly outcome: Outcome;
  readonly bytes: readonly [number, number, number];
  readonly end: number;
}

function parseHead(content: Buffer): Head | undefined {
  const end = content.indexOf(0x0a);
  if (end < 0) return undefined;
  try {
    const head = JSON.parse(content.toString('utf8', 0, end)) as Omit<Head, 'end'>;
    return isHead(head) ? { ...head, end: end + 1 } : undefined;
  } catch {
    return undefined;
  }
}

/** The head is read before it is verified, too. */
function isHead(head: Omit<Head, 'end'> | null): boolean {
  return (
    typeof head?.outcome === 'object' &&
    head.outcome !== null &&
    Array.isArray(head.bytes) &&
    head.bytes.length === 3 &&
    head.bytes.every((count) => Number.isSafeInteger(count) && count >= 0)
  );
}
