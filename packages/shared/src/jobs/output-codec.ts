/** A piece of one stream: valid UTF-8, whole characters, beginning at byte `offset` of the attempt's text. */
export interface OutputPiece {
  readonly offset: number;
  readonly bytes: Buffer;
  /** Whether the job has written more than is kept. */
  readonly truncated: boolean;
}

/** What a worker node tells an API replica that watches a job. `ended`: the job's outcome stands in its record. */
export interface OutputMessage {
  readonly jobId: string;
  readonly worker: string;
  readonly attempt: number;
  readonly ended: boolean;
  readonly stdout: OutputPiece;
  readonly stderr: OutputPiece;
}

/** Most bytes of text in one message, both streams together. */
export const MAX_OUTPUT_MESSAGE_BYTES = 65_536;

/**
 * Content of an output message, before sealing:
 *
 *   {"version": 1, jobId, worker, attempt, ended, "stdout": [offset, bytes, truncated], "stderr": […]} LF stdout stderr
 */
export function formatOutput({ stdout, stderr, ...message }: OutputMessage): Buffer {
  const head = { version: 1, ...message, stdout: formatPiece(stdout), stderr: formatPiece(stderr) };
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), stdout.bytes, stderr.bytes]);
}

/** The node that claims to have signed; needed to choose the key that checks the claim. */
export function readClaimedSender(content: Buffer): string | undefined {
  const worker = parseHead(content)?.head.worker;
  return typeof worker === 'string' ? worker : undefined;
}

/** Reads what `formatOutput` wrote; undefined if it is not that. Call it on verified content only. */
export function parseOutput(content: Buffer): OutputMessage | undefined {
  const parsed = parseHead(content);
  if (parsed === undefined) return undefined;
  const { version, jobId, worker, attempt, ended, stdout, stderr } = parsed.head;
  if (version !== 1 || typeof jobId !== 'string' || typeof worker !== 'string') return undefined;
  if (!isCount(attempt) || typeof ended !== 'boolean') return undefined;
  if (!isPieceHead(stdout) || !isPieceHead(stderr)) return undefined;
  const middle = parsed.end + stdout[1];
  if (middle + stderr[1] !== content.length) return undefined;
  const toPiece = (head: PieceHead, bytes: Buffer): OutputPiece => ({ offset: head[0], bytes, truncated: head[2] });
  return {
    jobId, worker, attempt, ended,
    stdout: toPiece(stdout, content.subarray(parsed.end, middle)),
    stderr: toPiece(stderr, content.subarray(middle)),
  }; // prettier-ignore
}

type PieceHead = readonly [offset: number, bytes: number, truncated: boolean];

const formatPiece = ({ offset, bytes, truncated }: OutputPiece): PieceHead => [offset, bytes.length, truncated];

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isPieceHead = (value: unknown): value is PieceHead =>
  Array.isArray(value) && value.length === 3 && isCount(value[0]) && isCount(value[1]) && typeof value[2] === 'boolean';

type UncheckedHead = { readonly [member in 'version' | keyof OutputMessage]?: unknown };

/** The head is read before it is verified, too. */
function parseHead(content: Buffer): { readonly head: UncheckedHead; readonly end: number } | undefined {
  const end = content.indexOf(0x0a);
  if (end < 0) return undefined;
  try {
    const head: unknown = JSON.parse(content.toString('utf8', 0, end));
    return typeof head === 'object' && head !== null ? { head, end: end + 1 } : undefined;
  } catch {
    return undefined;
  }
}
