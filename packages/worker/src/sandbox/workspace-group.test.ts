import fs, { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createLogger } from '@python3-cluster/shared';
import { WorkspaceGroup } from './workspace-group';

/*
 * The files of a control group as plain files, for what this host's kernel may not give: the test writes what the kernel would
 * say. That the kernel does what it is told is tried in jobs-cgroup.test.ts, where it can be.
 */
const MIB = 1_048_576;
const FILES = {
  'cgroup.procs': '', 'cgroup.kill': '', 'cpu.stat': 'usage_usec 5000000\nuser_usec 1\n', 'memory.max': 'max\n', 'memory.swap.max': 'max\n',
  'memory.oom.group': '0\n', 'memory.events': 'low 0\nhigh 0\nmax 4\noom 2\noom_kill 3\noom_group_kill 1\n', 'memory.peak': '900000000\n', 'pids.max': 'max\n',
}; // prettier-ignore
const LIMITS = { memoryBytes: 64 * MIB, processes: 20 };

let folder: string;
let lines: string[];
let group: WorkspaceGroup;
const say = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const told = (name: string): string => readFileSync(join(folder, name), 'latin1');
const logger = (): ReturnType<typeof createLogger> => {
  const made = createLogger('worker', 'silent');
  made.error = (...parts: unknown[]): void => void lines.push(JSON.stringify(parts));
  return made;
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'p3-group-'));
  lines = [];
  for (const [name, text] of Object.entries(FILES)) say(name, text);
  group = new WorkspaceGroup(folder, logger());
});
afterEach(() => {
  jest.restoreAllMocks();
  group.close();
  rmSync(folder, { recursive: true, force: true });
});

it('no group is made where there are none', () => {
  expect(() => new WorkspaceGroup(join(folder, 'no', 'such'), logger())).toThrow('ENOENT');
});

it('all of a job is ended at its limit, and nothing of it is swapped out', () => {
  expect([told('memory.oom.group'), told('memory.swap.max')]).toEqual(['1\n', '0ax\n']);
});

it('a child is moved in at its birth, and bounded when its job is known', async () => {
  group.admit(1234);
  expect(told('cgroup.procs')).toBe('1234\n');
  expect([told('memory.max'), group.boundsMemory]).toEqual(['max\n', false]);
  await group.begin(LIMITS);
  expect([Number.parseInt(told('memory.max'), 10), Number.parseInt(told('pids.max'), 10), group.boundsMemory]).toEqual([
    64 * MIB,
    20,
    true,
  ]);
});

it('bounds are written again only where the next run has others', async () => {
  group.admit(1234);
  await group.begin(LIMITS);
  say('memory.max', 'untouched');
  expect(group.begin(LIMITS)).toBeUndefined();
  expect(told('memory.max')).toBe('untouched');
  await group.begin({ ...LIMITS, memoryBytes: 128 * MIB });
  expect(Number.parseInt(told('memory.max'), 10)).toBe(128 * MIB);
});

describe('at the end of a run', () => {
  it('CPU time is that of the run, and memory what it added', async () => {
    group.admit(1234);
    await group.begin(LIMITS);
    say('cpu.stat', 'usage_usec 5250000\n');
    say('memory.peak', '70000000\n');
    expect(group.readCpuMs()).toBe(250);
    expect(group.end()).toEqual({ cpuMs: 250, addedBytes: 70_000_000, outOfMemory: undefined });
    say('cpu.stat', 'usage_usec 5260000\n');
    void group.begin(LIMITS);
    expect(group.end().cpuMs).toBe(10);
  });

  it.each([
    ['its own limit', 'oom 3\noom_kill 5\n', 'own'],
    ['the memory of all jobs', 'oom 2\noom_kill 5\n', 'shared'],
    ['nothing, where a single call failed', 'oom 3\noom_kill 3\n', undefined],
  ])('it was ended for %s', async (_, events, expected) => {
    group.admit(1234);
    await group.begin(LIMITS);
    say('memory.events', events);
    expect(group.end().outOfMemory).toBe(expected);
    void group.begin(LIMITS);
    expect(group.end().outOfMemory).toBeUndefined();
  });

  it('what was counted can be asked for when the child has left', async () => {
    group.admit(1234);
    await group.begin(LIMITS);
    say('cpu.stat', 'usage_usec 5250000\n');
    say('memory.events', 'oom 3\noom_kill 5\n');
    group.leave();
    expect(group.end()).toMatchObject({ cpuMs: 250, outOfMemory: 'own' });
  });

  it('what was counted for an earlier child is nobody’s', async () => {
    group.admit(1234);
    await group.begin(LIMITS);
    group.end();
    group.leave();
    say('memory.events', 'oom 9\noom_kill 9\n');
    say('cpu.stat', 'usage_usec 9000000\n');
    group.admit(1235);
    await group.begin(LIMITS);
    expect(group.end()).toMatchObject({ cpuMs: 0, outOfMemory: undefined });
  });
});

it('all of it is killed while a child is in it, and not when it has left', () => {
  group.kill();
  expect(told('cgroup.kill')).toBe('');
  group.admit(1234);
  group.kill();
  expect(told('cgroup.kill')).toBe('1\n');
  group.leave();
  say('cgroup.kill', '');
  group.kill();
  expect(told('cgroup.kill')).toBe('');
});

it('a bound that cannot be set is told once, and then the worker node looks itself', async () => {
  rmSync(join(folder, 'memory.max'));
  for (let run = 0; run < 2; run += 1) {
    group.admit(1234);
    await group.begin(LIMITS);
    expect(group.boundsMemory).toBe(false);
  }
  expect(existsSync(join(folder, 'memory.max'))).toBe(false);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('memory.max cannot be set: its jobs are watched as on hosts without control groups');
  mkdirSync(join(folder, 'memory.max'));
});

it('takes eight calls for a fresh job and five for a warm one', async () => {
  group.admit(1);
  await group.begin(LIMITS);
  group.end();
  const spies = (['openSync', 'closeSync', 'readSync', 'writeSync', 'readFileSync', 'writeFileSync', 'existsSync'] as const).map((name) =>
    jest.spyOn(fs, name),
  );
  const count = (): number => spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
  group.admit(2);
  void group.begin(LIMITS);
  group.end();
  expect(count()).toBe(8);
  void group.begin(LIMITS);
  group.end();
  expect(count()).toBe(8 + 5);
});
