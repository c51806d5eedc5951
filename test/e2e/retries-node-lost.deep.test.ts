import { existsSync } from 'node:fs';
import { afterAll, describe, expect, it } from '@jest/globals';
import { SeededRandom } from '../contracts/seeded-random';
import { assertOwnAnswers, legacy } from '../support/call';
import { GatedJobs } from '../support/gated-jobs';
import { jobsOf } from '../support/jobs';
import { NotedRuns } from '../support/noted-runs';
import { pause } from '../support/pause';
import { ADMIN_KEY, TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

const gates = new GatedJobs('retries');
afterAll(() => gates.clean());
const { newMark, noting, runsOf } = new NotedRuns();

describe('worker nodes that are killed', () => {
  it('under a job: it has as many starts as it may have, and its attempts say what became of each', async () => {
    const pair = await TestCluster.start({ workers: 2 });
    const { submit, ended } = jobsOf(pair, { key: ADMIN_KEY, mode: 'admin' });
    try {
      // They run until their nodes are killed, however long the third one takes to start.
      const gate = gates.make('gate()\nresult = 1');
      const job = { ...gate.job, timeoutMs: 120_000 };
      const [once, twice] = [await submit({ ...job, attempts: 1 }), await submit({ ...job, attempts: 2 })];
      await waitFor('both to run', async () => (await legacy(pair, 'pool-stats')).json.inUse === 2);
      const victims = pair.workers.splice(0, 2);
      pair.startWorker();
      await pair.waitForWorkers(3);
      for (const victim of victims) await victim.stop('SIGKILL');
      gate.open();
      const crashed = await ended(once);
      expect(crashed).toMatchObject({
        outcome: { status: 'crashed', error: { type: 'WorkerLost' } },
        attempts: [{ number: 1, status: 'lost' }],
      });
      expect(crashed.attempts).toHaveLength(1);
      expect(crashed.outcome.error.message).toContain('started once');
      const again = await ended(twice);
      expect(again).toMatchObject({
        outcome: { status: 'succeeded' },
        attempts: [{ status: 'lost', finishedAt: null }, { status: 'succeeded' }],
      });
      await assertOwnAnswers(pair);
      const sweeper = pair.startWorker();
      await waitFor('the sweep', () => sweeper.log().includes('worker node is up'));
    } finally {
      await pair.stop();
    }
  }, 90_000);

  it('at random moments of retried jobs: one outcome each, from the last attempt, and never two runs at once', async () => {
    const pair = await TestCluster.start({ workers: 2, settings: { PYTHON3_BLOCKED_MODULES: 'ctypes' } });
    const random = new SeededRandom(11);
    const { submit, ended } = jobsOf(pair, { key: ADMIN_KEY, mode: 'admin' });
    const overlap = newMark();
    try {
      // A lock of the kernel's: it goes with its process.
      const code = (mark: string): string => `import fcntl, os, time
os.umask(0)
lock = open('${mark}.lock', 'w')
try: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError: open('${overlap}', 'a').write('two runs at once\\n')
${noting(mark, 'time.sleep(0.15)\nraise ValueError("no")')}`;
      const jobs = Array.from({ length: 24 }, () => newMark());
      const ids = await Promise.all(jobs.map((mark) => submit({ code: code(mark), retryOn: ['failed'], attempts: 6, backoffMs: 100 })));
      for (let round = 0; round < 4; round += 1) {
        await pause(300 + random.below(500));
        const [victim] = pair.workers.splice(0, 1);
        const next = pair.startWorker();
        await victim?.stop('SIGKILL');
        await waitFor('the next node', () => next.log().includes('worker node is up'));
      }
      const seen = { failed: 0, lost: 0 };
      for (const [index, id] of ids.entries()) {
        const { outcome, attempts } = await ended(id, 60_000);
        const last = attempts.at(-1);
        expect(attempts.length).toBeLessThanOrEqual(6);
        // Its starts are used up, by ends and losses together.
        expect(attempts).toHaveLength(6);
        expect(outcome).toMatchObject(
          last.status === 'lost' ? { status: 'crashed', error: { type: 'WorkerLost' } } : { status: 'failed', error: { message: 'no' } },
        );
        for (const { status } of attempts) seen[status as 'failed' | 'lost'] += 1;
        expect(runsOf(jobs[index] ?? '')).toBeLessThanOrEqual(attempts.length);
        expect(runsOf(jobs[index] ?? '')).toBeGreaterThanOrEqual(
          attempts.filter(({ status }: { status: string }) => status === 'failed').length,
        );
      }
      process.stderr.write(`retries under SIGKILL: ${seen.failed} attempts ended, ${seen.lost} lost\n`);
      expect(existsSync(overlap)).toBe(false);
      expect(seen.lost).toBeGreaterThan(0);
      const sweeper = pair.startWorker();
      await waitFor('the sweep', () => sweeper.log().includes('worker node is up'));
    } finally {
      await pair.stop();
    }
  }, 120_000);
});
