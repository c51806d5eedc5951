import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { call, exec, execAsAdmin, runAdminJob, runJob, valueText, type Answer } from '../support/call';
import { listAlive, listDescendants } from '../support/descendants';
import { ADMIN_KEY, TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start({ settings: { PYTHON3_WARM_MAX_USES: '40', PYTHON3_POOL_MAX: '4' } });
});
afterAll(() => cluster.stop());

let program = 0;
/** Code nobody has sent before. */
const fresh = (code: string): string => `# ${(program += 1)}\n${code}`;
const PID = 'import os\nresult = os.getpid()';
const warmAdmin = (code: string, change: object = {}): Promise<Answer> => runAdminJob(cluster, { code, isolation: 'warm', ...change });
const resultOf = (answer: Answer): any => answer.json.outcome.value; // eslint-disable-line @typescript-eslint/no-explicit-any -- JSON, as a caller without types reads it

describe('a warm job', () => {
  it('runs in the process of the one before it, and says so', async () => {
    const code = fresh(PID);
    const first = await warmAdmin(code);
    expect(first.json).toMatchObject({ isolation: 'fresh', outcome: { status: 'succeeded' } });
    for (let use = 0; use < 5; use += 1) {
      const next = await warmAdmin(code);
      expect(next.json.isolation).toBe('warm');
      expect(resultOf(next)).toBe(resultOf(first));
      expect(next.json.timings.cpuMs).toBeGreaterThan(0);
      expect(next.json.timings.cpuMs).toBeLessThan(50);
      expect(next.json.timings.maxMemoryBytes).toBeGreaterThan(1_000_000);
    }
    const again = await call(cluster, first.json.links.self as string, undefined, { key: ADMIN_KEY });
    expect(again.json.isolation).toBe('fresh');
  });

  it('is never given a process of other code, another mode, another owner or another memory limit', async () => {
    const mine = fresh(PID);
    const pids = new Set<number>();
    for (const change of [{}, { memoryMb: 128 }, { code: `${mine}\n` }, { isolation: 'fresh' }, { isolation: undefined }])
      pids.add(resultOf(await warmAdmin(mine, change)) as number);
    expect(pids.size).toBe(5);
    // Restricted code cannot ask for its pid; what a module keeps shows whether a process was shared.
    const restricted = 'import json\nold = getattr(json, "mark", None)\njson.mark = who\nresult = old';
    const run = (who: string, key?: string): Promise<Answer> =>
      runJob(cluster, { code: restricted, variables: { who }, isolation: 'warm', mode: 'restricted' }, key === undefined ? {} : { key });
    expect(resultOf(await run('developer'))).toBeNull();
    expect(resultOf(await run('admin', ADMIN_KEY))).toBeNull();
    expect(resultOf(await warmAdmin(restricted, { variables: { who: 'admin mode' } }))).toBeNull();
    expect(resultOf(await run('developer'))).toBe('developer');
    expect(resultOf(await run('admin', ADMIN_KEY))).toBe('admin');
  });

  it('finds fresh globals, surroundings and output, and the modules as they were left', async () => {
    const code = fresh(`
import os, sys, json, random
seen = ['secret' in globals(), os.environ.get('SECRET'), os.listdir(), os.getcwd().endswith('scratch'), getattr(json, 'left', None)]
secret = 1
os.environ['SECRET'] = 'x'
open('left', 'w').write('x')
json.left = mark
random.seed(1)
os.chdir('/')
print(mark)
result = seen`);
    await warmAdmin(code, { variables: { mark: 'first' } });
    const next = await warmAdmin(code, { variables: { mark: 'second' } });
    expect(next.json.isolation).toBe('warm');
    expect(resultOf(next)).toEqual([false, null, [], true, 'first']);
    expect(next.json.outcome.stdout).toBe('second\n');
  });

  it('draws other random numbers than the one before', async () => {
    const code = fresh('import random\nresult = random.random()');
    const drawn = [];
    for (let use = 0; use < 5; use += 1) drawn.push(valueText(await runJob(cluster, { code, isolation: 'warm' })));
    expect(new Set(drawn).size).toBe(5);
  });

  it('has its CPU limit for itself, not for the life of its process', async () => {
    const code = fresh('import time\nend = time.process_time() + n\nwhile time.process_time() < end: pass\nresult = 1');
    const pids = new Set<string>();
    for (let use = 0; use < 6; use += 1) {
      const answer = await warmAdmin(code, { variables: { n: 0.5 }, cpuSeconds: 1 });
      expect(answer.json.outcome.status).toBe('succeeded');
      expect(answer.json.timings.cpuMs).toBeGreaterThan(400);
      expect(answer.json.timings.cpuMs).toBeLessThan(1_000);
      pids.add(answer.json.isolation as string);
    }
    expect([...pids]).toEqual(['fresh', 'warm']);
    const over = await warmAdmin(code, { variables: { n: 9 }, cpuSeconds: 1 });
    expect(over.json).toMatchObject({ isolation: 'warm', outcome: { status: 'cpu_exceeded' } });
    expect((await warmAdmin(code, { variables: { n: 0 }, cpuSeconds: 1 })).json).toMatchObject({
      isolation: 'fresh',
      outcome: { status: 'succeeded' },
    });
  });

  it.each<[string, string, object, string]>([
    ['runs over its time', 'import time\nif n: time.sleep(60)', { timeoutMs: 300 }, 'timed_out'],
    ['runs over its memory', 'if n: x = b"x" * (400 << 20)', { memoryMb: 128 }, 'out_of_memory'],
    ['ends its process', 'import os\nif n: os._exit(3)', {}, 'crashed'],
    [
      'writes into every descriptor',
      'import os, time\nif n:\n  for fd in range(3, 64):\n    try: os.write(fd, b"forged frames of eight bytes and more")\n    except OSError: pass\n  time.sleep(60)',
      {},
      'crashed',
    ],
  ])('that %s ends so, and its process is not used again', async (_, body, limits, status) => {
    const code = fresh(body);
    await warmAdmin(code, { variables: { n: 0 }, ...limits });
    const bad = await warmAdmin(code, { variables: { n: 1 }, ...limits });
    expect(bad.json).toMatchObject({ isolation: 'warm', outcome: { status } });
    expect((await warmAdmin(code, { variables: { n: 0 }, ...limits })).json).toMatchObject({
      isolation: 'fresh',
      outcome: { status: 'succeeded' },
    });
  });

  it('that fails keeps its process: an error is an answer', async () => {
    const code = fresh('result = 1 / n');
    for (const n of [1, 0, 1])
      expect((await warmAdmin(code, { variables: { n } })).json.outcome.status).toBe(n === 0 ? 'failed' : 'succeeded');
    expect((await warmAdmin(code, { variables: { n: 1 } })).json.isolation).toBe('warm');
  });

  it('finds a new process after the most uses of one', async () => {
    const code = fresh(PID);
    const pids = [];
    for (let use = 0; use < 45; use += 1) pids.push(resultOf(await warmAdmin(code)));
    expect(new Set(pids.slice(0, 40)).size).toBe(1);
    expect(new Set(pids).size).toBe(2);
  });

  it('takes one of more kinds than there is room for, which stays bounded', async () => {
    for (let key = 0; key < 10; key += 1) await warmAdmin(fresh('result = 1'));
    // 2 templates, and what they were started with, 3 idle children, at most 4 kept.
    await waitFor('the evicted to be gone', () => listDescendants(cluster.workers[0]?.pid ?? 0).length <= 11);
  });

  it('is answered although its template is killed between two calls', async () => {
    const code = fresh(
      'import os\nos.mark = getattr(os, "mark", os.urandom(8).hex())\nresult = [os.mark, os.getcwd(), os.getpid(), os.getppid()]',
    );
    const [mark, scratch, pid, ppid] = resultOf(await warmAdmin(code)) as [string, string, number, number];
    const [child, parent] = [pid, ppid].map((number) => cluster.hostPid(number, scratch)) as [number, number];
    process.kill(parent, 'SIGKILL');
    // SIGKILL takes effect when the kernel gets to it; until then the kept child may well answer.
    await waitFor('both to be dead', () => listAlive([child, parent]).length === 0);
    const answers = await Promise.all(Array.from({ length: 4 }, () => warmAdmin(code)));
    for (const answer of answers) {
      expect(answer.json.outcome.status).toBe('succeeded');
      expect(resultOf(answer)[0]).not.toBe(mark);
    }
  });

  it('gets its own answer under a hundred callers of the same code', async () => {
    const code = fresh('print(mark)\nresult = mark');
    const marks = Array.from({ length: 200 }, (_, index) => `m${index}`);
    const answers = await Promise.all(marks.map((mark) => runJob(cluster, { code, variables: { mark }, isolation: 'warm' })));
    answers.forEach((answer, index) => expect([resultOf(answer), answer.json.outcome.stdout]).toEqual([marks[index], `${marks[index]}\n`]));
    expect(answers.filter((answer) => answer.json.isolation === 'warm').length).toBeGreaterThan(100);
  });

  it('may be an expression or a call', async () => {
    for (const body of [
      { expression: '1 + n', variables: { n: 1 } },
      { module: 'math', function: 'sqrt', args: [4] },
    ]) {
      await runJob(cluster, { ...body, isolation: 'warm' });
      expect((await runJob(cluster, { ...body, isolation: 'warm' })).json).toMatchObject({ isolation: 'warm', outcome: { value: 2 } });
    }
  });
});

it('nothing becomes warm by itself, unless an operator says so', async () => {
  const code = fresh(PID);
  const pids = new Set<unknown>();
  for (let use = 0; use < 5; use += 1) pids.add((await execAsAdmin(cluster, code)).json.result);
  expect(pids.size).toBe(5);
  const automatic = await TestCluster.start({ settings: { PYTHON3_WARM_AUTO: 'true' } });
  try {
    const found = [];
    for (let use = 0; use < 5; use += 1) found.push((await execAsAdmin(automatic, code)).json.result);
    expect(new Set(found).size).toBe(3);
    expect(new Set(found.slice(2)).size).toBe(1);
    expect((await exec(automatic, 'result = 1')).json.result).toBe(1);
    const alone = await runAdminJob(automatic, { code, isolation: 'fresh' });
    expect(found).not.toContain(alone.json.outcome.value);
  } finally {
    await automatic.stop();
  }
});
