import { readFileSync } from 'node:fs';

/** Something that was done to one worker node, or to all (`*`). Epoch milliseconds. */
export interface Disturbance {
  readonly node: string;
  readonly from: number;
  until: number;
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
  /** From a disturbance to the next start, or the end, of a job it hit, and to the first answer of a request sent after it. */
  readonly slowestRecoveryMs: number;
  /** Attempts that were given up though nothing had been done to their node. */
  readonly falseStalls: number;
  readonly refused: number;
  readonly statuses: Readonly<Record<string, number>>;
}

export interface Observed {
  /** Job id → mark. */
  readonly accepted: ReadonlyMap<string, string | undefined>;
  readonly ended: ReadonlyMap<string, EndedJob>;
  readonly disturbances: readonly Disturbance[];
  readonly recoveriesMs: readonly number[];
  readonly refused: number;
  /** Where jobs noted their marks. */
  readonly notes: string;
}

export function toFigures({ accepted, ended, disturbances, recoveriesMs, refused, notes }: Observed): Figures {
  const runs = countLines(notes);
  const jobs = [...accepted].map(([id, mark]) => ({ mark, job: ended.get(id) }));
  const withOutcome = jobs.filter(({ job }) => job !== undefined).length;
  const givenUp = [...ended.values()].flatMap(listGivenUp).map((attempt) => ({ attempt, cause: findCause(attempt, disturbances) }));
  const takeovers = givenUp.flatMap(({ attempt, cause }) => (cause ? [attempt.until - cause.from] : []));
  const statuses: Record<string, number> = {};
  for (const { outcome } of ended.values()) {
    const end = [outcome.status, outcome.error?.type].filter(Boolean).join(' ');
    statuses[end] = (statuses[end] ?? 0) + 1;
  }
  return {
    accepted: accepted.size,
    withOutcome,
    missing: accepted.size - withOutcome,
    runTwice: [...runs].filter(([mark, count]) => mark.endsWith('at-most-once') && count > 1).length,
    wrong: jobs.filter(({ mark, job }) => mark !== undefined && job?.outcome.status === 'succeeded' && (job.outcome.value !== mark || !runs.has(mark))).length, // prettier-ignore
    slowestRecoveryMs: Math.max(0, ...recoveriesMs, ...takeovers),
    falseStalls: givenUp.filter(({ cause }) => cause === undefined).length,
    refused,
    statuses,
  };
}

export function formatFigures(title: string, figures: Figures): string {
  const { accepted, withOutcome, missing, runTwice, slowestRecoveryMs, falseStalls, refused, statuses } = figures;
  const ends = Object.entries(statuses).map(([status, count]) => `${count} ${status}`);
  return `chaos: ${title}: accepted ${accepted}, with outcome ${withOutcome}, missing ${missing}, run twice (at-most-once) ${runTwice}, slowest recovery ${Math.round(slowestRecoveryMs)} ms, false stalls ${falseStalls}; refused ${refused}; ${ends.join(', ')}`;
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
    return [{ node: worker.replace(/-[0-9a-f]{8}$/, ''), from: startedAt, until: next?.startedAt ?? finishedAt }];
  });
}

/** The last thing done to the attempt's node while it ran. */
const findCause = ({ node, from, until }: GivenUp, disturbances: readonly Disturbance[]): Disturbance | undefined =>
  disturbances.findLast((each) => (each.node === '*' || each.node === node) && each.until >= from && each.from <= until);

function countLines(path: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of readFileSync(path, 'utf8').split('\n').filter(Boolean)) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}
