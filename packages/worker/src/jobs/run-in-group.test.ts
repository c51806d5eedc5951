import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createLogger, loadConfig, type Job } from '@python3-cluster/shared';
import { StagedRunner } from '../../../../test/contracts/staged-runner';
import { Template } from '../runner/template';
import { WorkspaceGroup } from '../sandbox/workspace-group';
import { judgeRun, type Verdict } from './judge-run';
import { runInSlot, type RunReport } from './run-in-slot';

/* Real children in groups of plain files, where the test says what the kernel would: what a verdict is made of. */
const groups = mkdtempSync(join(tmpdir(), 'p3-groups-'));
const files = {
  'cgroup.procs': '', 'cgroup.kill': '', 'cpu.stat': 'usage_usec 0\n', 'memory.max': '', 'memory.oom.group': '', 'memory.events': 'oom 0\noom_kill 0\n',
  'memory.peak': '0\n', 'pids.max': '',
}; // prettier-ignore
const config = loadConfig({}).config;
const runner = new StagedRunner(1_024, (index) => {
  const path = join(groups, String(index));
  mkdirSync(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return new WorkspaceGroup(path, createLogger('worker', 'silent'));
});
let template: Template;
beforeAll(async () => {
  await runner.start();
  template = await Template.start({ ...runner.templateOptions, onLost: () => undefined });
});
afterAll(async () => {
  await template.stop();
  await runner.stop();
  rmSync(groups, { recursive: true, force: true });
});

const limits = { timeoutMs: 20_000, memoryMb: 64, cpuSeconds: 20 };

async function run(code: string, change: Partial<typeof limits> = {}): Promise<{ report: RunReport; verdict: Verdict; path: string }> {
  const child = await runner.fork(template);
  const job = { kind: 'exec', mode: 'admin', limits: { ...limits, ...change }, traceparent: null } as unknown as Job;
  const path = child.workspace.controlGroup?.path ?? '';
  // The code is shown where its group's files are, which no real job is.
  const payload = Buffer.from(JSON.stringify({ code: `GROUP = ${JSON.stringify(path)}\n${code}`, variables: {} }));
  const { signal } = new AbortController();
  const report = await runInSlot({ job, payload, child, config, allowedModules: [], processLimit: 16_384, signal });
  return { report, verdict: judgeRun(report, limits), path };
}

it('a child is in its workspace’s group, which has its job’s limits, before the code runs', async () => {
  const code = "import os\nread = lambda name: open(f'{GROUP}/{name}').read().split('\\n')[0]";
  const { report } = await run(`${code}\nresult = [read('cgroup.procs') == str(os.getpid()), read('memory.max'), read('pids.max')]`);
  expect(JSON.parse(report.answer?.value.toString() ?? '')).toEqual([true, String(64 * 1_048_576), String(config.maxProcesses)]);
});

it('a child is ended with its group, but not once its template has told of its end', async () => {
  const child = await runner.fork(template);
  const kills = join(child.workspace.controlGroup?.path ?? '', 'cgroup.kill');
  child.kill();
  expect(readFileSync(kills, 'latin1')).toBe('1\n');
  await child.exited;
  const other = await runner.fork(template);
  const otherKills = join(other.workspace.controlGroup?.path ?? '', 'cgroup.kill');
  writeFileSync(otherKills, '');
  // Until its channel closes it is not gone, and its workspace may be another child's already.
  other.handleExit({ type: 'exited', childId: other.id, exitCode: 0, signal: null, cpuMs: 0, maxRssBytes: 0, leftovers: 0, isEmpty: true });
  other.kill();
  expect([other.state, readFileSync(otherKills, 'latin1')]).toEqual(['idle', '']);
  await other.exited;
});

it('one that the kernel ended for its own limit is out of memory', async () => {
  const { verdict } = await run("import os\nopen(f'{GROUP}/memory.events', 'w').write('oom 1\\noom_kill 1\\n')\nos.kill(os.getpid(), 9)");
  expect(verdict).toMatchObject({ status: 'out_of_memory', limitsHit: ['memory'], error: { type: 'MemoryError' } });
});

it('one whose answer came before that is, too', async () => {
  const { verdict } = await run(
    "import atexit\natexit.register(lambda: open(f'{GROUP}/memory.events', 'w').write('oom 9\\noom_kill 9\\n'))",
  );
  expect(verdict).toMatchObject({ status: 'out_of_memory', limitsHit: ['memory'] });
});

it('one that the kernel ended because all jobs had none left has crashed, and its outcome says why', async () => {
  const { verdict } = await run("import os\nopen(f'{GROUP}/memory.events', 'w').write('oom 0\\noom_kill 99\\n')\nos.kill(os.getpid(), 9)");
  expect(verdict).toMatchObject({ status: 'crashed', limitsHit: [], error: { message: expect.stringContaining('all jobs') } });
});

it('figures are the group’s where they are higher, and CPU time of it is limited', async () => {
  const code = "open(f'{GROUP}/cpu.stat', 'w').write('usage_usec 3000000\\n')\nopen(f'{GROUP}/memory.peak', 'w').write('999000000\\n')";
  const { report, verdict } = await run(code);
  expect([report.exit.cpuMs, report.maxMemoryBytes, verdict.status]).toEqual([3_000, 999_000_000, 'succeeded']);
  const spent = await run("import time\nopen(f'{GROUP}/cpu.stat', 'w').write('usage_usec 90000000\\n')\ntime.sleep(60)");
  expect(spent.verdict.status).toBe('cpu_exceeded');
  expect(readFileSync(join(spent.path, 'cgroup.kill'), 'latin1')).toBe('1\n');
});

it('where the group bounds memory the worker node does not, and where it cannot the worker node does', async () => {
  const inThree = "for _ in range(3):\n    if os.fork() == 0:\n        kept = bytearray(b'x') * (30 << 20)\n        time.sleep(60)";
  const code = `import os, time\n${inThree}\ntime.sleep(1)`;
  expect((await run(code)).verdict.status).toBe('succeeded');
  for (const name of readdirSync(groups)) rmSync(join(groups, name, 'memory.max'));
  // Another limit than before, which must be written.
  expect((await run(code, { memoryMb: 65 })).verdict.status).toBe('out_of_memory');
});
