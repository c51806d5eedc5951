import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { pause } from '../support/pause';
import type { Fsync } from '../support/test-redis';
import { Chaos } from './chaos';
import { formatFigures, type Figures } from './figures';
import { formatOverload } from './overload';

/** How long, and how often, a form of the chaos tests disturbs. */
export interface Form {
  readonly kills: number;
  readonly apiKills: number;
  readonly cutMs: number;
  readonly pauseMs: number;
  readonly restarts: readonly (readonly ['SIGTERM' | 'SIGKILL', Fsync])[];
  readonly killedProcesses: number;
  readonly overloadMs: number;
  readonly rolled: { readonly nodes: number; readonly apis: number };
}

type Scenario = readonly [title: string, disturb: (chaos: Chaos, form: Form) => Promise<void>];

/** A lock lives 2 s: kills come faster than their jobs are taken over. */
const KILL_EVERY_MS = 2_000;
const OVERLOAD_TIMES = 10;
/** Far above what it takes; a cluster that is not back by then is not recovering by itself. */
const RECOVERED_WITHIN_MS = 30_000;

const scenarios: readonly Scenario[] = [
  [
    'a worker node killed every 2 s, of three',
    async (chaos, form) => {
      for (let count = 0; count < form.kills; count += 1) {
        if (count > 0) await pause(KILL_EVERY_MS);
        chaos.killNode();
      }
    },
  ],
  [
    'an API replica killed under its waiting callers',
    async (chaos, form) => {
      for (let count = 0; count < form.apiKills; count += 1) {
        if (count > 0) await pause(KILL_EVERY_MS);
        await chaos.killApi();
      }
    },
  ],
  [
    'Redis with append-only file restarted',
    async (chaos, form) => {
      for (const [signal, fsync] of form.restarts) await chaos.restartRedis(signal, fsync);
    },
  ],
  ['Redis paused', async (chaos, form) => chaos.pauseRedis(form.pauseMs)],
  ['a worker node’s connection cut, then healed', async (chaos, form) => chaos.cutConnection('dropped', form.cutMs)],
  ['a worker node’s connection frozen, then healed', async (chaos, form) => chaos.cutConnection('frozen', form.cutMs)],
  [
    'random templates and children killed',
    async (chaos, form) => {
      for (let count = 0; count < form.killedProcesses; count += 1) {
        chaos.killProcess(count % 4 === 3 ? 'template' : 'child');
        await pause(250);
      }
    },
  ],
];

/** Defines one test per scenario, all on one cluster, one after the other. */
export function defineChaosTests(title: string, form: Form, timeoutMs: number): void {
  describe(title, () => {
    let chaos: Chaos;
    beforeAll(async () => {
      chaos = await Chaos.start();
    });
    afterAll(() => chaos.stop(), 60_000);

    it.each(scenarios)(
      '%s: no accepted job is missing, and none that may run once ran twice',
      async (name, disturb) => {
        const figures = await chaos.run((running) => disturb(running, form));
        expectUnharmed(name, figures);
        expect(figures.slowestRecoveryMs).toBeLessThan(RECOVERED_WITHIN_MS);
      },
      timeoutMs,
    );

    it(
      'all worker nodes and API replicas restarted in order: no accepted job fails or goes untold',
      async () => {
        const figures = await chaos.run(async (running) => {
          await running.restartNodes(form.rolled.nodes);
          await running.restartApis(form.rolled.apis);
        });
        expectUnharmed('everything restarted in order', figures);
        expect(figures.statuses).toEqual({ succeeded: figures.accepted });
        expect(figures.untold).toBe(0);
      },
      timeoutMs,
    );

    it(
      'ten times the load it can carry: refused at once and told when to come again, what is accepted ends, health answers',
      async () => {
        const { overload, figures } = await chaos.overload(OVERLOAD_TIMES, form.overloadMs);
        process.stderr.write(`chaos: ${formatOverload(overload)}\n`);
        expectUnharmed('overload', figures);
        expect(figures.statuses).toEqual({ succeeded: figures.accepted });
        expect(Object.keys(overload.refused)).toEqual(['QUEUE_FULL']);
        expect([overload.withoutRetryAfter, overload.sent > 2 * figures.accepted]).toEqual([0, true]);
        expect(overload.apiGrowthBytes).toBeLessThan(150 * 1_048_576);
        expect(overload.redisGrowthBytes).toBeLessThan(64 * 1_048_576);
        expect(overload.healthMs[Math.floor(overload.healthMs.length / 2)]).toBeLessThan(500);
        expect(overload.healthMs.at(-1)).toBeLessThan(5_000);
      },
      timeoutMs,
    );
  });
}

function expectUnharmed(name: string, figures: Figures): void {
  process.stderr.write(`${formatFigures(name, figures)}\n`);
  expect(figures.accepted).toBeGreaterThan(0);
  expect(figures).toMatchObject({ missing: 0, runTwice: 0, wrong: 0, unexplained: 0, falseStalls: 0 });
}
