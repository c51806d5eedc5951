import { createHash } from 'node:crypto';
import { inTurns } from '../lifecycle/turns';
import { slicingJsonObject } from '../json/json-slices';
import type { RunKind } from './job-words';

/** The members of each kind's payload that are the program; the others are what it is called with. */
const PROGRAM_MEMBERS: Readonly<Record<RunKind, readonly string[] | undefined>> = {
  exec: ['code'],
  eval: ['expression'],
  call: ['module', 'function'],
  check: undefined,
};

/** The bytes of a payload that are the program, in a fixed order; undefined where there is none, or no JSON object. */
export async function sliceProgram(kind: RunKind, payload: Buffer): Promise<readonly Buffer[] | undefined> {
  const names = PROGRAM_MEMBERS[kind];
  if (names === undefined) return undefined;
  try {
    const members = await inTurns(slicingJsonObject(payload, 'last'));
    const slices = names.map((name) => members.get(name));
    return slices.every((slice) => slice !== undefined) ? slices : undefined;
  } catch {
    return undefined; // Python will say so
  }
}

/**
 * Names a program, whatever it is called with: `code:` and a digest over kind and text. Saved scripts have an identity of
 * their own sort (`isSharedProgram`), as several callers run the very same one.
 */
export async function programIdOf(kind: RunKind, payload: Buffer): Promise<string | undefined> {
  const slices = await sliceProgram(kind, payload);
  return slices && programIdOfSlices(kind, slices);
}

/** The same, for whoever has the slices already. */
export function programIdOfSlices(kind: RunKind, slices: readonly Buffer[]): string {
  const hash = createHash('sha256').update(kind);
  for (const slice of slices) hash.update(`\n${slice.length}\n`).update(slice);
  return `code:${hash.digest('base64url')}`;
}

/** Whether the program is one that callers share, so that what it does to one of them says something to the others. */
export const isSharedProgram = (program: string): boolean => program.startsWith('script:');
