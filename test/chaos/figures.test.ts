import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { formatFigures, toFigures, type Disturbance, type EndedJob } from './figures';
import { listLateTurns, listStarvations, type Starvation } from './starvation';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'p3-figures-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const ended = (status: string, value: unknown, options: { type?: string; attempts?: [node: string, at: number][]; at?: number } = {}): EndedJob => ({
  outcome: { status, value, error: options.type === undefined ? null : { type: options.type } },
  attempts: (options.attempts ?? [['n1', 1_000]]).map(([node, startedAt]) => ({ worker: `${node}-0123abcd`, startedAt })),
  finishedAt: options.at ?? 2_000,
}); // prettier-ignore

function figuresOf(
  jobs: readonly [mark: string, job: EndedJob | undefined][],
  ran: readonly string[],
  disturbances: Disturbance[] = [],
  starvations: Starvation[] = [],
) {
  const notes = join(directory, 'notes');
  writeFileSync(notes, ran.map((mark) => `${mark}\n`).join(''));
  const accepted = new Map(jobs.map(([mark], index) => [`id-${index}`, mark]));
  const ends = new Map(jobs.flatMap(([, job], index) => (job ? [[`id-${index}`, job] as const] : [])));
  return toFigures({ accepted, ended: ends, disturbances, starvations, recoveriesMs: [10], refused: 3, latestLoopMs: 0, notes });
}

const ONCE = 'job 2 at-most-once';
const LEAST = 'job 1 at-least-once';

it('nothing is wrong where every job ran once and says so', () => {
  const figures = figuresOf([[LEAST, ended('succeeded', LEAST)], [ONCE, ended('succeeded', ONCE)]], [LEAST, ONCE]); // prettier-ignore
  expect(figures).toMatchObject({ accepted: 2, withOutcome: 2, missing: 0, runTwice: 0, wrong: 0, unexplained: 0, untold: 0, falseStalls: 0 });
  expect(formatFigures('x', figures)).toContain('accepted 2, with outcome 2, missing 0, run twice (at-most-once) 0, slowest recovery 10 ms');
}); // prettier-ignore

it('jobs without outcome are missing', () => {
  expect(figuresOf([[LEAST, undefined], [ONCE, ended('succeeded', ONCE)]], [ONCE])).toMatchObject({ withOutcome: 1, missing: 1 }); // prettier-ignore
});

it('a second run counts where a job may run once only', () => {
  const jobs: [string, EndedJob][] = [[LEAST, ended('succeeded', LEAST)], [ONCE, ended('succeeded', ONCE)]]; // prettier-ignore
  expect(figuresOf(jobs, [LEAST, LEAST, ONCE]).runTwice).toBe(0);
  expect(figuresOf(jobs, [LEAST, ONCE, ONCE]).runTwice).toBe(1);
});

it('somebody else’s answer, and an answer of a job that nobody saw run, are wrong', () => {
  expect(figuresOf([[LEAST, ended('succeeded', ONCE)]], [LEAST]).wrong).toBe(1);
  expect(figuresOf([[LEAST, ended('succeeded', LEAST)]], []).wrong).toBe(1);
});

it('a job that ran and whose caller was told nothing is untold', () => {
  expect(figuresOf([[LEAST, ended('succeeded', LEAST)]], [LEAST, ONCE]).untold).toBe(1);
});

it('an attempt that was given up is a false stall, unless something was done to its node while it ran', () => {
  const twice = ended('succeeded', LEAST, { attempts: [['n1', 1_000], ['n2', 5_000]], at: 6_000 }); // prettier-ignore
  const lost = ended('lost', null, { type: 'WorkerLost', at: 4_000 });
  const count = (disturbances: Disturbance[]) =>
    figuresOf([[LEAST, twice], [ONCE, lost]], [LEAST, ONCE], disturbances); // prettier-ignore
  expect(count([]).falseStalls).toBe(2);
  expect(count([{ node: 'n2', from: 2_000, until: 5_000 }]).falseStalls).toBe(2);
  expect(count([{ node: 'n1', from: 500, until: 900 }]).falseStalls).toBe(2);
  expect(count([{ node: 'n1', from: 2_000, until: 5_000 }])).toMatchObject({ falseStalls: 0, slowestRecoveryMs: 3_000 });
  expect(count([{ node: '*', from: 2_000, until: 7_000, healedAt: 4_000 }])).toMatchObject({ falseStalls: 0, slowestRecoveryMs: 1_000 });
});

it('a lock lost by a node that its host did not let run is no false stall; one lost to work of its own is', () => {
  const twice = ended('succeeded', LEAST, { attempts: [['n1', 1_000_000], ['n2', 1_005_000]], at: 1_006_000 }); // prettier-ignore
  const stalls = (turn: { lateMs: number; cpuMs: number }, node = 'n1'): number => {
    const log = `{"msg":"x"}\n${JSON.stringify({ time: new Date(1_003_000).toISOString(), ...turn })}\n`;
    return figuresOf([[LEAST, twice]], [LEAST], [], listStarvations(node, listLateTurns(log, 1_000_000))).falseStalls;
  };
  expect(stalls({ lateMs: 2_500, cpuMs: 100 })).toBe(0);
  expect(stalls({ lateMs: 2_500, cpuMs: 2_400 })).toBe(1);
  expect(stalls({ lateMs: 2_500, cpuMs: 100 }, 'n2')).toBe(1);
  const crashed = ended('crashed', null, { type: 'ProcessEnded' });
  expect(figuresOf([[LEAST, crashed]], [LEAST], [], [{ node: 'n1', from: 500, until: 5_000 }]).unexplained).toBe(1);
});

it('an end that nothing explains counts', () => {
  const crashed = ended('crashed', null, { type: 'ProcessEnded' });
  expect(figuresOf([[LEAST, crashed]], [LEAST]).unexplained).toBe(1);
  expect(figuresOf([[LEAST, crashed]], [LEAST], [{ node: 'n1', from: 1_500, until: 5_000 }]).unexplained).toBe(0);
  expect(figuresOf([[LEAST, ended('crashed', null, { type: 'ProtocolError' })]], [LEAST], [{ node: 'n1', from: 1_500, until: 5_000 }]).unexplained).toBe(1);
  expect(figuresOf([[LEAST, ended('failed', null, { type: 'ValueError' })]], [LEAST]).unexplained).toBe(1);
}); // prettier-ignore
