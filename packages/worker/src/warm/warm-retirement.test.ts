import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createLogger, loadConfig, RESTRICTED_MODULES, type Job } from '@python3-cluster/shared';
import { StagedRunner } from '../../../../test/contracts/staged-runner';
import { waitFor } from '../../../../test/support/wait-for';
import { runInSlot } from '../jobs/run-in-slot';
import type { Child } from '../runner/child';
import { Template } from '../runner/template';
import { WarmChildren } from './warm-children';

const { config } = loadConfig({});
const runner = new StagedRunner(config.maxValueBytes);
beforeAll(() => runner.start());
afterAll(async () => {
  await runner.allGone();
  await runner.stop();
});

const warm = new WarmChildren({
  maxChildren: 4, memoryBytes: 512 << 20, idleMs: 600_000, maxUses: 1_000, logger: createLogger('worker', 'silent'),
}); // prettier-ignore
const job = {
  kind: 'exec', mode: 'admin', isolation: 'warm', owner: 'key:admin', traceparent: null, limits: { timeoutMs: 20_000, memoryMb: 256, cpuSeconds: 20 },
} as unknown as Job; // prettier-ignore
const payloadOf = (code: string): Buffer => Buffer.from(JSON.stringify({ code, variables: {} }));

it('kept children end when their template is retired: idle ones at once, one that has a job after it, and the template with them', async () => {
  const worn = await Template.start({ ...runner.templateOptions, onLost: () => undefined });
  const takeFresh = (): Promise<Child> => runner.fork(worn);
  const run = async (code: string, between: () => void = () => undefined): Promise<Child> => {
    const { child, keep, giveBack } = await warm.lend(job, payloadOf(code), takeFresh);
    between();
    const { signal } = new AbortController();
    const given = { job, child, config, keep, signal, payload: payloadOf(code), allowedModules: RESTRICTED_MODULES, processLimit: 16_384 };
    const report = await runInSlot(given);
    expect(report.answer?.value.toString()).toBe('1');
    giveBack(report.inspection);
    return child;
  };
  const idle = await run('result = 1');
  expect([warm.size, idle.state]).toEqual([1, 'idle']);
  // Another program: it is lent a child of its own, and the template is retired before it runs.
  const last = await run('result = 1 * 1', () => {
    worn.retire();
    expect(warm.size).toBe(0);
  });
  await waitFor('both to end', () => idle.state === 'gone' && last.state === 'gone');
  expect(warm.size).toBe(0);
  await waitFor('the template to be gone', () => worn.lost);
});
