import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect } from '@jest/globals';
import { createLogger } from '@python3-cluster/shared';
import { itIf } from '../../../../test/support/optional';
import { waitFor } from '../../../../test/support/wait-for';
import { removeEmpty } from './cgroup-files';
import { createJobsCgroup, type JobsCgroup } from './jobs-cgroup';

/* The kernel's own hierarchy. Grouping, counting CPU time and killing need no controller; bounds do, and are tried with plain files. */
const mount = readFileSync('/proc/self/mountinfo', 'utf8')
  .split('\n')
  .find((line) => / - cgroup2 /.test(line))
  ?.split(' ')[4];
const own = join(mount ?? '', `p3-unit-${randomBytes(4).toString('hex')}`);
const itWithGroups = itIf(mount !== undefined && mayMake(), 'no control group of version 2 can be made here');

function mayMake(): boolean {
  try {
    mkdirSync(own);
    rmdirSync(own);
    return true;
  } catch {
    return false;
  }
}

const logger = createLogger('worker', 'silent');
const started: ChildProcess[] = [];
/** A shell and two more, one of them in a session of its own. */
const startTree = (): ChildProcess => {
  const tree = spawn('/bin/sh', ['-c', 'read go; sleep 600 & setsid sleep 600 & wait'], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  started.push(tree);
  return tree;
};
const membersOf = (path: string): string[] => readFileSync(join(path, 'cgroup.procs'), 'latin1').split('\n').filter(Boolean);

async function take(): Promise<JobsCgroup> {
  const cgroup = await createJobsCgroup({ logger, own });
  if ('missing' in cgroup) throw new Error(cgroup.missing);
  return cgroup;
}

beforeEach(() => {
  if (mount !== undefined && mayMake()) mkdirSync(own);
});
afterEach(async () => {
  for (const tree of started.splice(0)) tree.kill('SIGKILL');
  if (!existsSync(own)) return;
  removeEmpty(own);
  await waitFor('the group to be gone', () => {
    removeEmpty(own);
    return !existsSync(own);
  });
});

itWithGroups('a workspace’s group holds all that its child forks, and all of it is ended at once', async () => {
  const cgroup = await take();
  const group = cgroup.makeGroup('admin-0');
  const tree = startTree();
  const ended = new Promise((resolve) => tree.once('exit', resolve));
  group?.admit(tree.pid ?? 0);
  tree.stdin?.end('\n');
  await waitFor('three processes', () => membersOf(group?.path ?? '').length === 3);
  group?.kill();
  await ended;
  expect(await group?.endAll()).toBe(true);
  expect(membersOf(group?.path ?? '')).toEqual([]);
  group?.close();
  await cgroup.remove();
  expect(readdirSync(own).filter((name) => name.startsWith('python3-cluster'))).toEqual([]);
});

itWithGroups('CPU time counts for processes that nobody waited for', async () => {
  const cgroup = await take();
  const group = cgroup.makeGroup('admin-0');
  const code = 'read go; (i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done) & wait; exec sleep 600';
  const tree = spawn('/bin/sh', ['-c', code], { stdio: ['pipe', 'ignore', 'ignore'] });
  started.push(tree);
  group?.admit(tree.pid ?? 0);
  void group?.begin({ memoryBytes: 1 << 30, processes: 10 });
  tree.stdin?.end('\n');
  await waitFor('the loop to have run', () => membersOf(group?.path ?? '').length === 1 && (group?.readCpuMs() ?? 0) > 20);
  const end = group?.end();
  expect(end?.cpuMs).toBeGreaterThan(20);
  expect(end?.outOfMemory).toBeUndefined();
  group?.kill();
  await group?.endAll();
  group?.close();
  await cgroup.remove();
});

itWithGroups('a process that has ended is nobody’s to admit, and no reason to complain', async () => {
  const cgroup = await take();
  const lines: unknown[] = [];
  const listening = createLogger('worker', 'silent');
  listening.error = (...parts: unknown[]): void => void lines.push(parts);
  const second = await createJobsCgroup({ logger: listening, own });
  const group = 'missing' in second ? undefined : second.makeGroup('admin-1');
  const tree = startTree();
  const ended = new Promise((resolve) => tree.once('exit', resolve));
  tree.kill('SIGKILL');
  await ended;
  group?.admit(tree.pid ?? 0);
  expect(group?.readCpuMs()).toBeUndefined();
  expect(await group?.endAll()).toBe(false);
  expect(lines).toEqual([]);
  group?.close();
  await cgroup.remove();
});

itWithGroups('what a node that was killed left is ended and removed; what a living one has stays', async () => {
  const dead = startTree();
  const died = new Promise((resolve) => dead.once('exit', resolve));
  dead.kill('SIGKILL');
  await died;
  const [left, alive] = [startTree(), startTree()];
  const path = (part: string, pid: number | undefined, ...more: string[]): string => join(own, `python3-cluster-${part}-${pid}`, ...more);
  for (const made of [path('node', dead.pid), path('jobs', dead.pid, 'admin-0'), path('node', alive.pid), path('jobs', alive.pid)]) {
    mkdirSync(made, { recursive: true });
  }
  writeFileSync(path('jobs', dead.pid, 'admin-0', 'cgroup.procs'), String(left.pid));
  writeFileSync(path('node', alive.pid, 'cgroup.procs'), String(alive.pid));
  const ended = new Promise((resolve) => left.once('exit', resolve));
  const cgroup = await take();
  await ended;
  expect(readdirSync(own).filter((name) => name.endsWith(`-${dead.pid}`))).toEqual([]);
  expect(readdirSync(own).filter((name) => name.endsWith(`-${alive.pid}`))).toHaveLength(2);
  expect(alive.exitCode ?? alive.signalCode).toBeNull();
  await cgroup.remove();
  alive.kill('SIGKILL');
  await waitFor('it to be gone', () => membersOf(path('node', alive.pid)).length === 0);
});

itWithGroups('a node that was started in the group of a killed one divides what is above that', async () => {
  const dead = startTree();
  const died = new Promise((resolve) => dead.once('exit', resolve));
  dead.kill('SIGKILL');
  await died;
  const found = join(own, `python3-cluster-node-${dead.pid}`);
  mkdirSync(found);
  const cgroup = await createJobsCgroup({ logger, own: found });
  expect('missing' in cgroup ? cgroup.missing : basename(cgroup.path)).toBe(`python3-cluster-jobs-${process.pid}`);
  if (!('missing' in cgroup)) {
    expect(cgroup.path.startsWith(join(own, 'python3-cluster-jobs-'))).toBe(true);
    await cgroup.remove();
  }
  expect(existsSync(found)).toBe(false);
});
