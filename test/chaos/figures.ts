import { readFileSync } from 'node:fs';
import type { Starvation } from './starvation';

/** Something that was done to one worker node, to all (`*`), or to an API replica (`api`). Epoch milliseconds. */
export interface Disturbance {
  readonly node: string;
  readonly from: number;
  /** How long its effects on locks and start markers may show. */
  until: number;
  /** When what was broken for everybody was whole again: nobody can recover before. */
  healedAt?: number;
}

/** A job as `GET /api/v1/jobs/{id}` shows it, once it has ended. */
export interface EndedJob {
  readonly outcome: { readonly status: string; readonly value: unknown; readonly error: { readonly type: string } | null };
  readonly attempts: readonly { readonly worker: string; readonly startedAt: number }[];
  readonly finishedAt: number;
}

export interface Figures {
  readonly accepted: number;
  readonly withOutcome: number;
  readonly missing: number;
  /** `at-most-once` jobs whose code ran more than once, as seen from outside. */
  readonly runTwice: number;
  /** Answers that were somebody else's, or that claim a run nobody saw. */
  readonly wrong: number;
  /** Ends that nothing that was done explains. */
  readonly unexplained: number;
  /** Jobs that ran although their caller was told nothing: no id, no outcome. */
  readonly untold: number;
  /** From a disturbance to the next start, or the end, of a job it hit, and to the first answer of a request sent after it. */
  readonly slowestRecoveryMs: number;
  /** Attempts that were given up though nothing had been done to their node, and its host had let it run. */
  readonly falseStalls: number;
  readonly refused: number;
  /** Longest that the event loop of a worker node or API replica was late, by its own log; 0 where none says so. */
  readonly latestLoopMs: number;
  readonly statuses: Readonly<Record<string, number>>;
}

export interface Observed {
  /** Job id → mark. */
  readonly accepted: ReadonlyMap<string, string | undefined>;
  readonly ended: ReadonlyMap<string, EndedJob>;
  readonly disturbances: readonly Disturbance[];
  /** What the host did to nodes, by their own logs. It explains a lock that was lost, and nothing else. */
  readonly starvations: readonly Starvation[];
  readonly recoveriesMs: readonly number[];
  readonly refused: number;
  readonly latestLoopMs: number;
  /** Where jobs noted their marks. */
  readonly notes: string;
}

export function toFigures({ accepted, ended, disturbances, starvations, recoveriesMs, refused, latestLoopMs, notes }: Observed): Figures {
  const runs = countLines(notes);
  const jobs = [...accepted].map(([id, mark]) => ({ mark, job: ended.get(id) }));
  const marks = new Set(accepted.values());
  const withOutcome = jobs.filter(({ job }) => job !== undefined).length;
  const givenUp = [...ended.values()].flatMap(listGivenUp).map((attempt) => ({ attempt, cause: findCause(attempt, disturbances) }));
  const isStarved = (attempt: GivenUp): boolean => findCause(attempt, starvations) !== undefined;
  const takeovers = givenUp.flatMap(({ attempt, cause }) => (cause ? [attempt.until - (cause.healedAt ?? cause.from)] : []));
  const statuses: Record<string, number> = {};
  for (const job of ended.values()) statuses[endOf(job)] = (statuses[endOf(job)] ?? 0) + 1;
  return {
    accepted: accepted.size,
    withOutcome,
    missing: accepted.size - withOutcome,
    runTwice: [...runs].filter(([mark, count]) => mark.endsWith('at-most-once') && count > 1).length,
    wrong: jobs.filter(({ mark, job }) => mark !== undefined && job?.outcome.status === 'succeeded' && (job.outcome.value !== mark || !runs.has(mark))).length, // prettier-ignore
    unexplained: [...ended.values()].filter((job) => !isExplained(job, disturbances)).length,
    untold: [...runs.keys()].filter((mark) => !marks.has(mark)).length,
    slowestRecoveryMs: Math.max(0, ...recoveriesMs, ...takeovers),
    falseStalls: givenUp.filter(({ attempt, cause }) => cause === undefined && !isStarved(attempt)).length,
    refused,
    latestLoopMs,
    statuses,
  };
}

export function formatFigures(title: string, figures: Figures): string {
  const { accepted, withOutcome, missing, runTwice, slowestRecoveryMs, falseStalls, refused, latestLoopMs, statuses } = figures;
  const ends = Object.entries(statuses).map(([status, count]) => `${count} ${status}`);
  const loop = latestLoopMs === 0 ? '' : `; an event loop was up to ${Math.round(latestLoopMs)} ms late`;
  return `chaos: ${title}: accepted ${accepted}, with outcome ${withOutcome}, missing ${missing}, run twice (at-most-once) ${runTwice}, slowest recovery ${Math.round(slowestRecoveryMs)} ms, false stalls ${falseStalls}; refused ${refused}; ${ends.join(', ')}${loop}`;
}

const endOf = ({ outcome }: EndedJob): string => [outcome.status, outcome.error?.type].filter(Boolean).join(' ');

/** `lost`, and given up after three starts, are what a false stall would show; a process that ended must have been killed. */
function isExplained(job: EndedJob, disturbances: readonly Disturbance[]): boolean {
  const last = job.attempts.at(-1);
  if (['succeeded', 'lost WorkerLost', 'crashed WorkerLost'].includes(endOf(job))) return true;
  if (endOf(job) !== 'crashed ProcessEnded' || last === undefined) return false;
  return findCause({ node: nodeOf(last.worker), from: last.startedAt, until: job.finishedAt }, disturbances) !== undefined;
}

interface GivenUp {
  readonly node: string;
  readonly from: number;
  readonly until: number;
}

/** Attempts that another start or a `lost` followed. */
function listGivenUp({ attempts, outcome, finishedAt }: EndedJob): GivenUp[] {
  return attempts.flatMap(({ worker, startedAt }, index) => {
    const next = attempts[index + 1];
    if (next === undefined && outcome.status !== 'lost') return [];
    return [{ node: nodeOf(worker), from: startedAt, until: next?.startedAt ?? finishedAt }];
  });
}

/** A worker node's id is its name and a random part. */
const nodeOf = (worker: string): string => worker.replace(/-[0-9a-f]{8}$/, '');

/** The last thing done to the attempt's node while it ran. */
const findCause = <T extends Starvation>({ node, from, until }: GivenUp, disturbances: readonly T[]): T | undefined =>
  disturbances.findLast((each) => (each.node === '*' || each.node === node) && each.until >= from && each.from <= until);

function countLines(path: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of readFileSync(path, 'utf8').split('\n').filter(Boolean)) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}
