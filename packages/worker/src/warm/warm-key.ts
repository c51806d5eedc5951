import { createHash } from 'node:crypto';
import { inTurns, slicingJsonObject, type Job, type RunKind } from '@python3-cluster/shared';

/** The members of each kind's payload that are the program; the others are what it is called with. */
const PROGRAM_MEMBERS: Readonly<Record<RunKind, readonly string[] | undefined>> = {
  exec: ['code'],
  eval: ['expression'],
  call: ['module', 'function'],
  check: undefined,
};

/**
 * Names the process a job may share with others: same owner, same mode, same program, same memory limit (which a process
 * is given once). undefined for what is never kept.
 */
export async function warmKeyOf(job: Job, payload: Buffer): Promise<string | undefined> {
  const names = PROGRAM_MEMBERS[job.kind];
  if (names === undefined) return undefined;
  const hash = createHash('sha256').update(JSON.stringify([job.owner, job.mode, job.kind, job.limits.memoryMb]));
  try {
    const members = await inTurns(slicingJsonObject(payload, 'last'));
    for (const name of names) {
      const slice = members.get(name);
      if (slice === undefined) return undefined;
      hash.update(`\n${slice.length}\n`).update(slice);
    }
  } catch {
    return undefined; // no JSON object: Python will say so
  }
  return hash.digest('base64url');
}
