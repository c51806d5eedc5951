import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createLogger, loadConfig, RESTRICTED_MODULES, type Job } from '@python3-cluster/shared';
import { pino } from 'pino';
import { childrenOf, isAlive, StagedRunner } from '../../../../test/contracts/staged-runner';
import { waitFor } from '../../../../test/support/wait-for';
import { runInSlot, type RunReport } from '../jobs/run-in-slot';
import type { Child } from '../runner/child';
import { Template } from '../runner/template';
import { Workspaces } from '../workspaces/workspaces';
import { WarmChildren, type LentChild, type WarmChildrenOptions } from './warm-children';

const { config } = loadConfig({});
const runner = new StagedRunner(config.maxValueBytes);
let template: Template;
beforeAll(async () => {
  await runner.start();
  template = await Template.start({ ...runner.templateOptions, onLost: () => undefined });
});
afterAll(async () => {
  template.kill();
  await runner.allGone();
  await runner.stop();
});

const kept: WarmChildren[] = [];
/** One that was closed may be gone by the time it is killed. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    expect(error).toMatchObject({ code: 'ESRCH' });
  }
}

afterEach(async () => {
  for (const warm of kept.splice(0)) warm.close();
  for (const pid of childrenOf(template.pid)) killIfThere(pid);
  await waitFor('no child', () => childrenOf(template.pid).length === 0);
});

function create(options: Partial<WarmChildrenOptions> = {}): WarmChildren {
  const warm = new WarmChildren({
    maxChildren: 4, memoryBytes: 512 << 20, idleMs: 60_000, maxUses: 1_000, logger: createLogger('worker', 'silent'), ...options,
  }); // prettier-ignore
  kept.push(warm);
  return warm;
}

const job = (change: Partial<Job> = {}): Job =>
  ({
    kind: 'exec', mode: 'admin', isolation: 'warm', owner: 'key:admin', traceparent: null,
    limits: { timeoutMs: 20_000, memoryMb: 256, cpuSeconds: 20 }, ...change,
  }) as unknown as Job; // prettier-ignore
const payloadOf = (code: string, variables: object = {}): Buffer => Buffer.from(JSON.stringify({ code, variables }));
const PID = 'import os\nresult = [os.getpid(), n]';

/** Answers for the runner, says that it waits, and goes on as it likes. */
const SEEMS_TO_WAIT = `
import gc, json, os, struct
header = next(o for o in gc.get_objects() if type(o) is dict and o.get('type') == 'run' and o.get('nonce') != 'rehearsal')
def frame(**members):
    text = json.dumps(members).encode()
    return struct.pack('>II', len(text), 0) + text
said = frame(type='result', nonce=header['nonce'], status='succeeded', hasValue=False, error=None)
channel = next(n for n in range(3, 20) if os.path.exists(f'/proc/self/fd/{n}') and 'socket' in os.readlink(f'/proc/self/fd/{n}'))
os.write(channel, said + frame(type='waiting', nonce=header['nonce']))`;

interface Call extends LentChild {
  readonly report: RunReport;
  readonly value: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- JSON, as a caller without types reads it
}

interface CallOptions {
  readonly job?: Partial<Job>;
  readonly n?: number;
  readonly takeFresh?: () => Promise<Child>;
}

async function call(warm: WarmChildren, code: string, options: CallOptions = {}): Promise<Call> {
  const payload = payloadOf(code, { n: options.n ?? 0 });
  const ordered = job(options.job);
  const lent = await warm.lend(ordered, payload, options.takeFresh ?? (() => runner.fork(template)));
  const report = await runInSlot({
    job: ordered, payload, child: lent.child, config, allowedModules: RESTRICTED_MODULES, processLimit: 16_384,
    signal: new AbortController().signal, keep: lent.keep, cpuBaselineMs: lent.cpuBaselineMs,
  }); // prettier-ignore
  lent.giveBack(report.inspection);
  return { ...lent, report, value: report.answer?.result.hasValue ? JSON.parse(report.answer.value.toString()) : undefined };
}

describe('kept children', () => {
  it('hold their workspace while they wait: whoever is forked meanwhile has another', async () => {
    const warm = create();
    const code = 'import os, time\ntime.sleep(0.2)\nresult = os.getpid()';
    const [one, other] = await Promise.all([call(warm, code), call(warm, code)]);
    expect(warm.size).toBe(2);
    const between = [];
    for (let round = 0; round < 8; round += 1) between.push((await call(warm, PID, { job: { isolation: 'fresh' } })).child.workspace);
    for (const { workspace } of [one.child, other.child]) expect(between).not.toContain(workspace);
    expect(one.child.workspace).not.toBe(other.child.workspace);
    const again = [await call(warm, code), await call(warm, code)];
    expect(again.map(({ child, isWarm }) => [isWarm, child.workspace])).toEqual(
      again.map(({ value }) => [true, (value === one.value ? one : other).child.workspace]),
    );
  });

  it('answer call after call, in the workspace they were born into, each with its own value, output and usage', async () => {
    const warm = create();
    const first = await call(warm, PID);
    expect([first.isWarm, first.keep, warm.size]).toEqual([false, true, 1]);
    for (let n = 1; n <= 20; n += 1) {
      const next = await call(warm, PID, { n });
      expect([next.isWarm, next.value]).toEqual([true, [first.value[0], n]]);
      expect([next.child, next.child.workspace]).toEqual([first.child, first.child.workspace]);
      expect(next.report.exit.cpuMs).toBeLessThan(50);
      expect(next.report.maxMemoryBytes).toBeGreaterThan(1 << 20);
    }
    const printed = await call(warm, 'import sys\nprint("out")\nprint("err", file=sys.stderr)');
    expect([printed.report.stdout.bytes.toString(), printed.report.stderr.bytes.toString()]).toEqual(['out\n', 'err\n']);
    expect((await call(warm, PID)).report.stdout.bytes.toString()).toBe('');
  });

  it.each<[string, Partial<Job>, string]>([
    ['another owner', { owner: 'key:developer' }, PID],
    ['another mode', { mode: 'restricted' }, PID],
    ['other code', {}, `${PID} `],
    ['another memory limit', { limits: { timeoutMs: 20_000, memoryMb: 128, cpuSeconds: 20 } }, PID],
    ['a job that wants to be alone', { isolation: 'fresh' }, PID],
  ])('are not lent to %s', async (_, change, code) => {
    const warm = create();
    await call(warm, PID);
    const lent = await warm.lend(job(change), payloadOf(code), () => runner.fork(template));
    expect(lent.isWarm).toBe(false);
  });

  it('serve one job at a time; a second one at the same time gets a child of its own, and both are kept', async () => {
    const warm = create();
    const code = 'import os, time\ntime.sleep(0.2)\nresult = os.getpid()';
    const both = await Promise.all([call(warm, code), call(warm, code)]);
    expect(both[0].value).not.toBe(both[1].value);
    expect(warm.size).toBe(2);
  });

  it.each<[string, string]>([
    ['a process', 'import os, time\nif os.fork() == 0:\n  time.sleep(600)\nresult = 1'],
    ['a thread', 'import sched\nsched.threading.Thread(target=sched.threading.Event().wait, daemon=True).start()\nresult = 1'],
    ['a copy of its output', 'import os\nos.dup(1)\nresult = 1'],
    ['an open file', 'import os\nos.open("/dev/null", 0)\nresult = 1'],
  ])('that leave %s behind end, after their answer', async (_, code) => {
    const warm = create();
    const { value, child } = await call(warm, code);
    expect([value, warm.size, child.state]).toEqual([1, 0, 'gone']);
    expect(childrenOf(template.pid)).toEqual([]);
  });

  it('that only claim to be clean are looked at from outside', async () => {
    const warm = create();
    // Ends our half of the process and goes on as it likes: says a result and `waiting` by itself, with a thread still there.
    const code = `
import gc, json, os, struct, threading, types
threading.Thread(target=threading.Event().wait, daemon=True).start()
header = next(o for o in gc.get_objects() if type(o) is dict and o.get('type') == 'run' and o.get('nonce') != 'rehearsal')
def frame(**members):
    text = json.dumps(members).encode()
    return struct.pack('>II', len(text), 0) + text
said = frame(type='result', nonce=header['nonce'], status='succeeded', hasValue=False, error=None)
channel = next(n for n in range(3, 20) if os.path.exists(f'/proc/self/fd/{n}') and 'socket' in os.readlink(f'/proc/self/fd/{n}'))
os.write(channel, said + frame(type='waiting', nonce=header['nonce']))
import time
time.sleep(600)`;
    const blockedModules: string[] = [];
    const payload = payloadOf(code);
    const lent = await warm.lend(job(), payload, () => runner.fork(template));
    const report = await runInSlot({
      job: job(), payload, child: lent.child, config: { ...config, blockedModules }, allowedModules: [], processLimit: 16_384,
      signal: new AbortController().signal, keep: true,
    }); // prettier-ignore
    lent.giveBack(report.inspection);
    expect(report.answer?.result).toMatchObject({ status: 'succeeded' });
    expect([report.inspection, warm.size, isAlive(lent.child.pid)]).toEqual([undefined, 0, false]);
  });

  it('that only seem to wait are found out within seconds', async () => {
    const warm = create();
    const code = `${SEEMS_TO_WAIT}
null = os.open('/dev/null', os.O_RDWR)
os.dup2(null, 1), os.dup2(null, 2), os.close(null)
while True: pass`;
    const { child, report } = await call(warm, code);
    expect([report.answer?.result.status, report.inspection === undefined, warm.size]).toEqual(['succeeded', false, 1]);
    await waitFor('it to be ended', () => child.state === 'gone');
    expect(warm.size).toBe(0);
  });

  it('have their CPU limit per job, and end when they break it', async () => {
    const warm = create();
    const spin = 'import time\nend = time.process_time() + n\nwhile time.process_time() < end: pass\nresult = 1';
    const limits = { timeoutMs: 20_000, memoryMb: 256, cpuSeconds: 1 };
    for (let use = 0; use < 4; use += 1) {
      const { isWarm, report } = await call(warm, spin, { n: 0.5, job: { limits } });
      expect([isWarm, report.answer?.result.status]).toEqual([use > 0, 'succeeded']);
      expect(report.exit.cpuMs).toBeGreaterThan(400);
      expect(report.exit.cpuMs).toBeLessThan(900);
    }
    const over = await call(warm, spin, { n: 5, job: { limits } });
    expect([over.isWarm, over.report.killReason, warm.size]).toEqual([true, 'cpu', 0]);
    expect(over.report.exit.cpuMs).toBeLessThan(2_000);
  });

  it('end by wall clock like any other', async () => {
    const warm = create();
    const code = 'import time\ntime.sleep(n)';
    await call(warm, code);
    const over = await call(warm, code, { n: 60, job: { limits: { timeoutMs: 200, memoryMb: 256, cpuSeconds: 20 } } });
    expect([over.isWarm, over.report.killReason, warm.size, isAlive(over.child.pid)]).toEqual([true, 'wall', 0, false]);
  });

  it('are evicted least recently used first', async () => {
    const warm = create({ maxChildren: 2 });
    for (const mark of ['a', 'b', 'a', 'c']) await call(warm, `result = ${JSON.stringify(mark)}`);
    expect(warm.size).toBe(2);
    expect((await call(warm, 'result = "a"')).isWarm).toBe(true);
    expect((await call(warm, 'result = "b"')).isWarm).toBe(false);
    await waitFor('the evicted to be gone', () => childrenOf(template.pid).length === 2);
  });

  it('stay within the memory budget together', async () => {
    const warm = create({ memoryBytes: 60 << 20 });
    for (const name of ['a', 'b', 'c']) await call(warm, `import colorsys\ncolorsys.${name} = b"x" * (25 << 20)`);
    expect(warm.size).toBe(2);
    await call(warm, 'import colorsys\ncolorsys.d = b"x" * (70 << 20)');
    expect(warm.size).toBe(0);
  });

  it('end when they are unused, used up, killed, or lose their template', async () => {
    const unused = create({ idleMs: 50 });
    const { child } = await call(unused, PID);
    await waitFor('the unused to end', () => child.state === 'gone');
    expect(unused.size).toBe(0);

    const few = create({ maxUses: 3 });
    const pids = [];
    for (let use = 0; use < 6; use += 1) pids.push((await call(few, PID)).value[0] as number);
    expect(new Set(pids.slice(0, 3)).size).toBe(1);
    expect(new Set(pids.slice(3)).size).toBe(1);
    expect(new Set(pids).size).toBe(2);

    const warm = create();
    const killed = await call(warm, PID);
    process.kill(killed.child.pid, 'SIGKILL');
    await waitFor('its end to be known', () => warm.size === 0);
    expect((await call(warm, PID)).isWarm).toBe(false);

    process.kill(template.pid, 'SIGKILL');
    await waitFor('the template’s to be forgotten', () => warm.size === 0);
    template = await Template.start({ ...runner.templateOptions, onLost: () => undefined });
  });

  it('that print between two jobs are ended, and what they print is in nobody’s output', async () => {
    const said: string[] = [];
    const logger = pino({ level: 'debug' }, { write: (line) => void said.push(line) });
    const warm = create({ logger });
    // Seems to wait: with one thread, and still.
    const { child, report } = await call(
      warm,
      `${SEEMS_TO_WAIT}
import time
while not os.path.exists('print now'): time.sleep(0.05)
print('out of turn', flush=True)
while True: time.sleep(60)`,
    );
    const { workspace } = child;
    expect([report.answer?.result.status, report.stdout.bytes.length, warm.size]).toEqual(['succeeded', 0, 1]);
    writeFileSync(join(workspace.scratchPath, 'print now'), '');
    await waitFor('it to be ended', () => child.state === 'gone');
    expect([warm.size, said.some((line) => line.includes('it prints while it should wait'))]).toEqual([0, true]);
    const next = await call(warm, 'import os\nprint("in turn")\nresult = os.listdir()');
    expect(next.child.workspace).toBe(workspace);
    expect([next.report.stdout.bytes.toString(), next.report.stderr.bytes.toString(), next.value]).toEqual(['in turn\n', '', []]);
  });

  it('are ended for a job that waits for a workspace, of its own mode only', async () => {
    const only = new Workspaces({
      path: runner.directory.workspacesPath('restricted'), count: 1, firstUid: null, templateUid: null, isMounted: false,
      onShortage: () => void warm.endOldest('admin'), logger: createLogger('worker', 'silent'),
    }); // prettier-ignore
    await only.start();
    const ofOne = await Template.start({
      ...runner.templateOptions,
      onLost: () => undefined,
      onVacant: (workspace) => void only.giveBack(workspace),
    });
    const takeFresh = async (): Promise<Child> => ofOne.fork(await only.take());
    const warm = create();
    const first = await call(warm, PID, { takeFresh });
    expect([warm.size, warm.endOldest('restricted'), warm.size, isAlive(first.child.pid)]).toEqual([1, false, 1, true]);
    const second = await call(warm, 'result = 2', { takeFresh });
    expect([first.child.state, second.value, second.child.workspace === first.child.workspace]).toEqual(['gone', 2, true]);
    // And of those that are kept, the one that was used least lately.
    expect([warm.size, warm.endOldest('admin'), warm.size, warm.endOldest('admin')]).toEqual([1, true, 0, false]);
    await ofOne.stop();
    await only.close();
  });

  it('that write between two jobs are ended and not lent', async () => {
    const warm = create();
    const { child } = await call(warm, PID);
    (child as unknown as { read(chunk: Buffer): void }).read(Buffer.from('some bytes nobody asked for'));
    expect(child.isUsable).toBe(false);
    expect((await call(warm, PID)).isWarm).toBe(false);
    await waitFor('its end', () => child.state === 'gone');
  });

  it('are not kept with a budget of 0', async () => {
    const warm = create({ memoryBytes: 0 });
    expect((await call(warm, PID)).keep).toBe(false);
  });

  it('come by themselves with the third use within a minute, where the job leaves it open', async () => {
    const warm = create();
    const found = [];
    for (let use = 0; use < 4; use += 1) found.push((await call(warm, PID, { job: { isolation: 'auto' } })).isWarm);
    expect(found).toEqual([false, false, false, true]);
  });
});
