import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { loadConfig, RESTRICTED_MODULES, type Job, type JobMode } from '@python3-cluster/shared';
import { childrenOf, isAlive, StagedRunner } from '../../../../test/contracts/staged-runner';
import type { Child } from '../runner/child';
import { Template, type TemplateOptions } from '../runner/template';
import { judgeRun, type Verdict } from './judge-run';
import { runInSlot, type RunReport } from './run-in-slot';

const config = loadConfig({ PYTHON3_MAX_OUTPUT_BYTES: '2048', PYTHON3_MAX_VALUE_BYTES: '1024' }).config;
const runner = new StagedRunner(config.maxValueBytes);
beforeAll(() => runner.start());
afterAll(() => runner.stop());

const templates: Template[] = [];
afterEach(async () => {
  for (const template of templates.splice(0)) template.kill();
  await runner.allGone();
});
async function startTemplate(options: Partial<TemplateOptions> = {}): Promise<Template> {
  const template = await Template.start({ ...runner.templateOptions, onLost: () => undefined, ...options });
  templates.push(template);
  return template;
}

const limits = { timeoutMs: 20_000, memoryMb: 256, cpuSeconds: 20 };
function run(
  child: Child,
  code: string,
  change: Partial<typeof limits> = {},
  signal = new AbortController().signal,
  mode: JobMode = 'admin',
): Promise<RunReport> {
  const job = { kind: 'exec', mode, limits: { ...limits, ...change }, traceparent: null } as unknown as Job;
  const payload = Buffer.from(JSON.stringify({ code, variables: {} }));
  return runInSlot({ job, payload, child, config, allowedModules: RESTRICTED_MODULES, processLimit: 16_384, signal });
}
const judge = (report: RunReport): Verdict => judgeRun(report, limits);

/** Says itself what the runner would say for it, and goes on. */
const ANSWER = `
import json, os, struct, sys, time
frame = sys._getframe()
while "header" not in frame.f_locals: frame = frame.f_back
head = {"type": "result", "nonce": frame.f_locals["header"]["nonce"], "status": "succeeded", "hasValue": True, "error": None}
head = json.dumps(head).encode()
for fd in range(3, 20):
    try: os.write(fd, struct.pack(">II", len(head), 4) + head + b"true")
    except OSError: pass
`;
const BURN = 'import time\nwhile time.process_time() < 0.95: pass';
/** Over the limit at the moment of the answer, or a little before. */
const HOLD = `
import os, time
done, tell = os.pipe()
for n in range(4):
    if os.fork() == 0:
        kept = bytearray(b"x") * (20 << 20)
        os.write(tell, b"x")
        time.sleep(60)
for n in range(4): os.read(done, 1)
`;

describe('a child in its workspace', () => {
  it('is a process below the template that answers, runs one job and ends', async () => {
    const template = await startTemplate();
    const child = await runner.fork(template);
    expect(childrenOf(template.pid)).toEqual([child.pid]);
    expect([child.state, await child.ping(5_000)]).toEqual(['idle', true]);
    const report = await run(child, 'import sys\nprint("out é")\nprint("err", file=sys.stderr)\nresult = [9007199254740993, 1.0]');
    expect(report.answer?.value.toString()).toMatch(/^\[9007199254740993, ?1\.0\]$/);
    expect([report.stdout.bytes.toString(), report.stderr.bytes.toString()]).toEqual(['out é\n', 'err\n']);
    expect(report.exit).toMatchObject({ exitCode: 0, signal: null, leftovers: 0 });
    expect(report.exit.cpuMs).toBeGreaterThan(0);
    expect(judge(report)).toEqual({ status: 'succeeded', hasValue: true, error: null, limitsHit: [] });
    expect([isAlive(child.pid), child.state, childrenOf(template.pid)]).toEqual([false, 'gone', []]);
  });

  it.each<[string, string, Partial<typeof limits>, Partial<Verdict>]>([
    ['raises', 'x = 1\nraise ValueError("no")', {}, { status: 'failed', error: expect.objectContaining({ type: 'ValueError', message: 'no', line: 2 }) as never }],
    ['leaves by sys.exit(0)', 'import sys\nprint("x")\nsys.exit(0)', {}, { status: 'succeeded', error: null }],
    ['leaves by os._exit(7)', 'import os\nos._exit(7)', {}, { status: 'crashed', error: expect.objectContaining({ message: expect.stringContaining('exit code 7') }) as never }],
    ['kills itself', 'import os\nos.kill(os.getpid(), 11)', {}, { status: 'crashed', error: expect.objectContaining({ message: expect.stringContaining('SIGSEGV') }) as never }],
    ['runs over its wall clock', 'import time\ntime.sleep(60)', { timeoutMs: 200 }, { status: 'timed_out' }],
    ['runs over its CPU time with a tree', 'import os\nfor _ in range(3): os.fork()\nwhile True: pass', { cpuSeconds: 1 }, { status: 'cpu_exceeded' }],
    ['runs over its memory with a tree', 'import os, time\nos.fork()\nos.fork()\nx = b"x" * (40 << 20)\ntime.sleep(60)', { memoryMb: 100 }, { status: 'out_of_memory' }],
    ['allocates too much', 'x = b"x" * (400 << 20)', { memoryMb: 100 }, { status: 'out_of_memory', limitsHit: ['memory'] }],
    ['answers, and then runs over its CPU time', `${BURN}${ANSWER}while True: pass`, { cpuSeconds: 1 }, { status: 'cpu_exceeded', hasValue: false }],
    ['answers over its memory, and goes on', `${HOLD}${ANSWER}time.sleep(60)`, { memoryMb: 60 }, { status: 'out_of_memory', limitsHit: ['memory'] }],
    ['answers in time, and then waits', `${ANSWER}time.sleep(60)`, { timeoutMs: 900 }, { status: 'succeeded', hasValue: true }],
    ['floods its output', 'print("x" * 100_000)', {}, { status: 'succeeded', limitsHit: ['output'] }],
    ['gives too large a value', 'result = "x" * 5_000', {}, { status: 'failed' }],
    ['writes into every descriptor', 'import os\nfor fd in range(3, 64):\n  try: os.write(fd, b"forged frames of eight bytes and more")\n  except OSError: pass\nimport time\ntime.sleep(60)', {}, { status: 'crashed', error: expect.objectContaining({ type: 'ProtocolError' }) as never }],
  ])('that %s ends as the outcome table says', async (_, code, change, expected) => {
    const child = await runner.fork(await startTemplate());
    const report = await run(child, code, change);
    expect(judgeRun(report, { ...limits, ...change })).toMatchObject(expected);
    expect(isAlive(child.pid)).toBe(false);
  }); // prettier-ignore

  it('leaves no process behind, and says how many it tried to', async () => {
    const template = await startTemplate();
    const code = `
import os, time
ready, tell = os.pipe()
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        os.write(tell, b'.')
        time.sleep(600)
for _ in range(3): os.read(ready, 1)
result = 1`;
    const report = await run(await runner.fork(template), code);
    expect(judge(report).status).toBe('succeeded');
    expect(report.exit.leftovers).toBe(3);
    expect(runner.pids()).toEqual([template.pid]);
  });

  it('whose caller is gone is cancelled', async () => {
    const child = await runner.fork(await startTemplate());
    const aborter = new AbortController();
    const report = run(child, 'import time\ntime.sleep(60)', {}, aborter.signal);
    aborter.abort();
    expect(judge(await report).status).toBe('cancelled');
  });

  it('of a restricted template may not open files', async () => {
    const child = await runner.fork(await startTemplate({ mode: 'restricted' }));
    const verdict = judge(await run(child, 'open("/etc/passwd")', {}, undefined, 'restricted'));
    expect(verdict).toMatchObject({ status: 'failed', error: { type: 'SecurityError' } });
  });

  it('whose template is killed under it has crashed', async () => {
    const template = await startTemplate();
    const report = run(await runner.fork(template), 'while True: pass');
    process.kill(template.pid, 'SIGKILL');
    expect(judge(await report)).toMatchObject({ status: 'crashed', error: { type: 'ProcessEnded' } });
  });
});
