import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { assertOwnAnswers, call } from '../support/call';
import { jobsOf } from '../support/jobs';
import { ADMIN_KEY, TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

describe('DELETE /api/v1/jobs/{id}', () => {
  it('of a job whose node was just killed: `cancelled` once its lock is gone, and it is not started again', async () => {
    const pair = await TestCluster.start({ workers: 2, settings: { PYTHON3_LANES: 'default' } });
    const redis = new Redis(pair.redisUrl);
    const marks = join(pair.notes, 'redelivered');
    try {
      const code = `import os, time\nos.umask(0)\nwith open('${marks}', 'a') as file: print(os.getcwd(), file=file)\ntime.sleep(60)`;
      const { json } = await call(pair, '/api/v1/jobs', { code, mode: 'admin', delivery: 'at-least-once' }, { key: ADMIN_KEY });
      const scratch = await waitFor('the code to run', () => existsSync(marks) && readFileSync(marks, 'utf8').trim());
      const workerPid = Number.parseInt(readFileSync(join(scratch, '..', '..', '..', 'worker.pid'), 'utf8'), 10);
      const victim = pair.workers.findIndex((worker) => worker.pid === workerPid);
      const [killed] = pair.workers.splice(victim, 1);
      await killed?.stop('SIGKILL');
      const path = `/api/v1/jobs/${json.id}`;
      const first = await call(pair, path, undefined, { method: 'DELETE', key: ADMIN_KEY });
      expect([200, 202]).toContain(first.status);
      const job = await jobsOf(pair, { key: ADMIN_KEY }).ended(json.id as string);
      expect(job).toMatchObject({ outcome: { status: 'cancelled' }, attempts: [{ number: 1 }] });
      await waitFor('an empty queue', async () => (await redis.keys(`${pair.namespace}:{default}:queue:default.*`)).length === 0);
      await assertOwnAnswers(pair);
      expect(readFileSync(marks, 'utf8')).toBe(`${scratch}\n`);
      // The next node to start sweeps what the killed one could not.
      const sweeper = pair.startWorker();
      await waitFor('the sweep', () => sweeper.log().includes('worker node is up'));
    } finally {
      redis.disconnect();
      await pair.stop();
    }
  }, 90_000);

  it('while no node of the lane is up: 202, and `cancelled` as soon as one is', async () => {
    const idle = await TestCluster.start({ workers: 1 });
    try {
      const [first] = idle.workers.splice(0, 1);
      const accepted = await call(idle, '/api/v1/jobs', { code: 'result = 1' }, { headers: { prefer: 'wait=10' } });
      expect(accepted.json.outcome.status).toBe('succeeded');
      // Frozen: the registry believes in it for a while yet.
      first?.process.kill('SIGSTOP');
      const { json } = await call(idle, '/api/v1/jobs', { code: 'result = 2' });
      const answer = await call(idle, `/api/v1/jobs/${json.id}`, undefined, { method: 'DELETE' });
      expect([answer.status, answer.json.state, answer.json.outcome]).toEqual([202, 'waiting', null]);
      expect(answer.headers.get('location')).toBe(`/api/v1/jobs/${json.id}`);
      expect(answer.json.cancelRequestedAt).toEqual(expect.any(Number));
      await first?.stop('SIGKILL');
      idle.startWorker();
      expect(await jobsOf(idle).ended(json.id as string)).toMatchObject({ outcome: { status: 'cancelled' } });
    } finally {
      await idle.stop();
    }
  }, 90_000);
});
