import { counted } from '../alerts/counted';
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

/** Why a job is refused, for how long, and who can help, in words for its caller. */
export function quarantineMessage(entry: QuarantineEntry, now = Date.now()): string {
  const { id, breaches, lastStatus, until } = entry;
  const why = `This program is quarantined: ${breaches} of its latest runs broke their limits or crashed, the last one with '${lastStatus}'.`;
  const when =
    until > now
      ? `It is refused until ${new Date(until).toISOString()}, for ${counted(secondsLeft(entry, now), 'second')} more; then one job may try it.`
      : 'Its time is over: one job tries it now, and releases it if it breaks no limit.';
  return `${why} ${when} A program with another text runs at once. An admin can release this one before: DELETE /api/v1/quarantine/${id}.`;
}
