import { characterBoundary, MAX_OUTPUT_MESSAGE_BYTES, type OutputMessage, type OutputPosition } from '@python3-cluster/shared';
import type { OutputCapture } from '../workspaces/output-capture';

/** What can be read from any place on. */
type Readable = Pick<OutputCapture, 'read'>;

interface ReadableRun {
  readonly jobId: string;
  readonly attempt: number;
  readonly output: { readonly stdout: Readable; readonly stderr: Readable };
}

/** What whoever has come this far does not have yet; undefined if that is nothing, or of an attempt later than this one. */
export function readNews({ jobId, attempt, output }: ReadableRun, position: OutputPosition): Omit<OutputMessage, 'worker'> | undefined {
  if (position.attempt > attempt) return undefined;
  const isNewAttempt = position.attempt < attempt;
  const [stdoutAt, stderrAt] = isNewAttempt ? [0, 0] : [position.stdout, position.stderr];
  const stderr = output.stderr.read(stderrAt, MAX_OUTPUT_MESSAGE_BYTES / 2);
  const stdout = output.stdout.read(stdoutAt, MAX_OUTPUT_MESSAGE_BYTES - stderr.bytes.length);
  if (!isNewAttempt && stdout.bytes.length + stderr.bytes.length === 0) return undefined;
  return { jobId, attempt, ended: false, stdout: { offset: stdoutAt, ...stdout }, stderr: { offset: stderrAt, ...stderr } };
}

export const toReadable = ({ bytes, truncated }: FinalText): Readable => ({
  read: (offset, most) => {
    const rest = bytes.subarray(offset);
    const part = rest.subarray(0, characterBoundary(rest, most));
    return { bytes: part, truncated: truncated && offset + part.length === bytes.length };
  },
});

/** What a run has printed, when it has ended. */
export interface FinalOutput {
  readonly stdout: FinalText;
  readonly stderr: FinalText;
}

type FinalText = ReturnType<OutputCapture['finish']>;
