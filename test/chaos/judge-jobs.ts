import type { AllJobs, ListedJob } from './listed-jobs';
import type { MixedJob } from './mixed-jobs';
import type { RetryingCallers, Submission } from './retrying-callers';
import type { Counts } from './surfaces';

/** What was compared, in a line, and what of it did not agree. */
export interface Finding {
  readonly line: string;
  readonly disagreements: readonly string[];
}

/** A worker node, by its id, and a replica, by its number, that died at that time (epoch milliseconds). */
export interface Killed {
  readonly node: string;
  readonly replica: number;
  readonly at: number;
}

/** Whether each job that was accepted is there, once, with the one end its caller knows. `sent`: what was, in words. */
export function judgeJobs({ jobs, unlisted, repeated }: AllJobs, counts: Counts, callers: RetryingCallers, killed: Killed, sent: string): Finding {
    const { submissions, refusals } = callers;
    const told = new Map(submissions.flatMap((each) => (each.id === undefined ? [] : [[each.id, each] as const])));
    const ids = submissions.filter(({ id }) => id !== undefined).length;
    const broken = submissions.flatMap(({ tries }) => tries).filter(({ isBroken }) => isBroken).length;
    const untold = [...jobs.values()].filter(({ id, kind }) => kind !== 'check' && !told.has(id)).length;
    const disagreements = [
      ...[...told.keys()].filter((id) => !jobs.has(id)).map((id) => `${id} was accepted and is not there`),
      ...[...jobs.values()].filter(({ outcome }) => outcome === null).map(({ id, state }) => `${id} has no outcome: ${state}`),
      ...(ids === told.size ? [] : [`${ids - told.size} ids were told twice`]),
      ...(repeated === 0 ? [] : [`${repeated} jobs are listed twice`]),
      ...(untold <= broken ? [] : [`${untold} jobs nobody was told of, though only ${broken} connections broke`]),
      ...[...told].flatMap(([id, submission]) => judgeEnd(jobs.get(id), submission, killed)),
    ];
    const ends = Object.entries(counts).filter(([name, count]) => count > 0 && !['accepted', 'finished', 'checks', 'not succeeded'].includes(name) && !name.startsWith('error '));
    const line = `jobs: ${sent}; accepted ${counts['accepted']}, with outcome ${counts['finished']} (${ends.map(([name, count]) => `${count} ${name}`).join(', ')}), syntax checks ${counts['checks']}; connections broken ${broken}, jobs whose caller was told nothing ${untold}, not listed ${unlisted}, refused ${JSON.stringify(refusals)}`;
    return { line, disagreements };
  } // prettier-ignore

/** The one outcome is that which the caller was told, and one the job could have. */
function judgeEnd(record: ListedJob | undefined, { job, status, id }: Submission, killed: Killed): string[] {
  const { outcome = null, attempts = [] } = record ?? {};
  const end = outcome === null ? 'none' : outcome.status;
  const wasKilled = attempts.some(({ worker }) => worker === killed.node);
  const isPossible = job.ends.includes(end) || (wasKilled && ['lost', 'crashed'].includes(end));
  const problems: [boolean, string][] = [
    [status !== undefined && status !== end, `its caller was told ${status}`],
    [!isPossible, 'which it cannot'],
    [runsOnce(job) && attempts.length > 1, `and was started ${attempts.length} times`],
  ];
  return problems.filter(([isSo]) => isSo).map(([, words]) => `${id} (${job.name}) ended ${end}, ${words}`);
}

/** The predecessor's routes, and whoever asks for it. */
const runsOnce = ({ route, body }: MixedJob): boolean => route !== 'jobs' || body['delivery'] === 'at-most-once';
