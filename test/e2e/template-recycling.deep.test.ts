import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { listProcessesMentioning, TestCluster } from '../support/test-cluster';
import { assertOwnAnswers, call, exec, legacy } from '../support/call';
import { waitFor } from '../support/wait-for';

let cluster: TestCluster;
afterEach(() => cluster.stop());

const folder = mkdtempSync(join(tmpdir(), 'python3-leaking-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An interpreter with a module that keeps 4 MB with every fork. */
function makeLeakingPython(): string {
  const { file } = JSON.parse(process.env['PYTHON3_TEST_PYTHON'] ?? '{"file":"/usr/bin/python3"}') as { file: string };
  execFileSync(file, ['-m', 'venv', '--without-pip', folder]);
  const version = readdirSync(join(folder, 'lib'))[0] as string;
  const leak = 'import os\nos.register_at_fork(after_in_parent=lambda kept=[]: kept.append(b"x" * 4_000_000))\n';
  writeFileSync(join(folder, 'lib', version, 'site-packages', 'leaks.py'), leak);
  return join(folder, 'bin', 'python3');
}

const noneOf = (pids: readonly number[]): boolean => !listProcessesMentioning(cluster.runDirectory).some((pid) => pids.includes(pid));

describe('a worker node replaces worn templates', () => {
  it.each([
    ['by the number of their forks', { PYTHON3_TEMPLATE_MAX_FORKS: '1' }],
    ['by their age', { PYTHON3_TEMPLATE_MAX_AGE_SECONDS: '1' }],
  ])('%s, and no job notices', async (_, settings) => {
    cluster = await TestCluster.start({ settings: { PYTHON3_HEALTH_CHECK_SECONDS: '1', ...settings } });
    const before = listProcessesMentioning(cluster.runDirectory);
    const long = call(cluster, '/api/v1/jobs', { code: 'import time\ntime.sleep(3)\nresult = 5' }, { headers: { prefer: 'wait=30' } });
    await waitFor('it to run', async () => (await legacy(cluster, 'pool-stats')).json.inUse === 1);
    for (let round = 0; round < 5; round += 1) await assertOwnAnswers(cluster);
    expect((await long).json).toMatchObject({ outcome: { status: 'succeeded', value: 5 }, attempts: [{ number: 1 }] });
    await waitFor('all that were there to be gone', () => noneOf(before), 30_000);
    await assertOwnAnswers(cluster);
  });

  it('by the growth of their memory', async () => {
    const settings = { PYTHON3_PATH: makeLeakingPython(), PYTHON3_PRELOAD: 'leaks', PYTHON3_TEMPLATE_MAX_GROWTH_MB: '16' };
    cluster = await TestCluster.start({ settings: { PYTHON3_HEALTH_CHECK_SECONDS: '1', ...settings } });
    const before = listProcessesMentioning(cluster.runDirectory);
    const oneGoes = async (): Promise<boolean> => {
      expect((await exec(cluster, 'result = 1')).json).toMatchObject({ success: true, result: 1 });
      const now = listProcessesMentioning(cluster.runDirectory);
      return before.slice(0, 2).some((pid) => !now.includes(pid));
    };
    await waitFor('the template that forks to be replaced', oneGoes, 30_000);
  });
});
