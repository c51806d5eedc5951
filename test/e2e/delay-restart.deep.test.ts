import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { call, runJob } from '../support/call';
import { jobsOf } from '../support/jobs';
import { TestCluster } from '../support/test-cluster';
import { freePort, startPrivateRedis } from '../support/test-redis';
import { waitFor } from '../support/wait-for';

it('jobs that wait for their time do not fill the queue for those that are to run now', async () => {
  const small = await TestCluster.start({ settings: { PYTHON3_QUEUE_MAX_JOBS: '4' } });
  const { submit } = jobsOf(small);
  try {
    for (let count = 0; count < 4; count += 1) await submit({ code: '1', delayMs: 600_000 });
    const refused = await call(small, '/api/v1/jobs', { code: '1', delayMs: 600_000 });
    expect([refused.status, refused.json.error.code]).toEqual([503, 'QUEUE_FULL']);
    expect(refused.json.error.message).toContain('waiting and delayed');
    expect((await runJob(small, { code: 'result = 5' })).json.outcome?.value).toBe(5);
  } finally {
    await small.stop();
  }
});

it('delayed jobs outlive a restart of Redis, and start at their time', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'python3-test-redis-'));
  const port = await freePort();
  let server = await startPrivateRedis({ port, directory });
  const own = await TestCluster.start({ redisUrl: `redis://127.0.0.1:${port}/0` });
  const { accept, ended } = jobsOf(own);
  try {
    const during = await accept({ delayMs: 1_000, code: 'result = 1' });
    const after = await accept({ delayMs: 6_000, code: 'result = 7' });
    await server.stop();
    // The first one's time comes while Redis is away.
    await waitFor('its time', () => Date.now() > during.startAfter + 200);
    server = await startPrivateRedis({ port, directory });
    for (const { id, startAfter } of [during, after]) {
      const { attempts, outcome } = await ended(id);
      expect(outcome.status).toBe('succeeded');
      expect(attempts[0].startedAt).toBeGreaterThanOrEqual(startAfter);
      process.stderr.write(`Redis restarted: a delayed job started ${attempts[0].startedAt - startAfter} ms after its time\n`);
      expect(attempts[0].startedAt).toBeLessThan(startAfter + 20_000);
    }
  } finally {
    await own.stop();
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}, 60_000);
