import type { Job } from '../jobs/job';
import { isSharedProgram, programIdOf } from '../jobs/program-members';
import { BASE_ENVIRONMENT } from './quarantine-key';
import type { QuarantineList } from './quarantine-list';
import type { QuarantineEntry } from './quarantine-record';

/** The entry that is about a job, if there is one. The program is looked at only where one could be. */
export async function findQuarantine(
  list: QuarantineList,
  { owner, kind }: Pick<Job, 'owner' | 'kind'>,
  payload: Buffer,
): Promise<QuarantineEntry | undefined> {
  if (!list.concerns(owner)) return undefined;
  const program = await programIdOf(kind, payload);
  if (program === undefined) return undefined;
  const own = list.find({ owner, program, environment: BASE_ENVIRONMENT });
  if (own !== undefined || !isSharedProgram(program)) return own;
  return list.find({ owner: null, program, environment: BASE_ENVIRONMENT });
}

/** Seconds until a job may try the program; at least 1, for `Retry-After`. */
export const secondsLeft = ({ until }: QuarantineEntry, now = Date.now()): number => Math.max(1, Math.ceil((until - now) / 1_000));

/** Why a job is refused, in words for its caller. */
export function quarantineMessage({ breaches, lastStatus }: QuarantineEntry): string {
  return `This program is quarantined: ${breaches} of its latest runs broke their limits or crashed, the last one with '${lastStatus}'.`;
}
