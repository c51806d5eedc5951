import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Chaos, pause } from './chaos';
import { formatFigures } from './figures';

/** How long, and how often, a form of the chaos tests disturbs. */
export interface Form {
  readonly kills: number;
  readonly cutMs: number;
  readonly pauseMs: number;
  readonly restarts: readonly ('SIGTERM' | 'SIGKILL')[];
  readonly killedProcesses: number;
}

type Scenario = readonly [title: string, disturb: (chaos: Chaos, form: Form) => Promise<void>];

/** A lock lives 2 s: kills come faster than their jobs are taken over. */
const KILL_EVERY_MS = 2_000;

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
  ['an API replica killed under its waiting callers', async (chaos) => chaos.killApi()],
  [
    'Redis with append-only file restarted',
    async (chaos, form) => {
      for (const signal of form.restarts) {
        await chaos.restartRedis(signal);
        await pause(1_000);
      }
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
        process.stderr.write(`${formatFigures(name, figures)}\n`);
        expect(figures.accepted).toBeGreaterThan(0);
        expect(figures).toMatchObject({ missing: 0, runTwice: 0, wrong: 0, falseStalls: 0 });
      },
      timeoutMs,
    );
  });
}
