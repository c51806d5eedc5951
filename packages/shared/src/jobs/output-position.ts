/**
 * How much of a job's output somebody has. Bytes count the text as it stands in the outcome: valid UTF-8, bad bytes
 * replaced. An attempt begins at 0 again; attempt 0 stands for a job that has none yet.
 */
export interface OutputPosition {
  readonly attempt: number;
  readonly stdout: number;
  readonly stderr: number;
}

/** Before the first byte of the first attempt. */
export const OUTPUT_START: OutputPosition = { attempt: 0, stdout: 0, stderr: 0 };

/** `1.1024.0`: attempt, bytes of stdout, bytes of stderr. */
export const formatPosition = ({ attempt, stdout, stderr }: OutputPosition): string => `${attempt}.${stdout}.${stderr}`;

/** undefined where the text is none that `formatPosition` writes. */
export function parsePosition(text: string): OutputPosition | undefined {
  const match = /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,9})$/.exec(text);
  return match === null ? undefined : { attempt: Number(match[1]), stdout: Number(match[2]), stderr: Number(match[3]) };
}
