import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Control groups, version 2 (cgroups(7)), where the worker node has been given one of its own: a unit with `Delegate=yes`,
 * a container that may write to its group. What it may use is then divided:
 *
 *   <its group>/                    as whoever started the node has bounded it
 *     python3-cluster-node-<pid>    the node itself, before all jobs where processors are scarce
 *     python3-cluster-jobs-<pid>    templates and all they fork: the rest, less a reserve for the node
 *
 * So jobs that together take more than there is are ended, and never the node that renews their locks. What one job may
 * use is watched as everywhere else: moving each into a group of its own would take longer than most of them run.
 */
export interface JobsCgroup {
  readonly path: string;
  /** A template that has not forked yet. */
  admit(pid: number): void;
  /** Ends what is left in it. */
  remove(): void;
}

/** Of Redis client, queues and outcomes under way. */
const RESERVED_BYTES = 256 * 1_048_576;
/** Threads of Node, and the processes that empty folders. */
const RESERVED_PIDS = 64;
const WEIGHT_OF_NODE = '1000';
const WANTED_CONTROLLERS = ['cpu', 'memory', 'pids'];

export type CgroupOrReason = JobsCgroup | { readonly missing: string };

/** Moves this process, too. Nothing is left changed where it cannot be done. */
export function createJobsCgroup(): CgroupOrReason {
  const own = findOwnCgroup();
  if (own === undefined) return { missing: 'there are no control groups of version 2' };
  const [node, jobs] = ['node', 'jobs'].map((part) => join(own, `python3-cluster-${part}-${process.pid}`)) as [string, string];
  const members = readWords(join(own, 'cgroup.procs')).map(Number);
  const strangers = members.filter((pid) => !isRelative(pid));
  if (strangers.length > 0) return { missing: `other processes share the control group ${own}` };
  try {
    for (const path of [node, jobs]) mkdirSync(path);
    for (const pid of members) move(pid, node);
    const controllers = readWords(join(own, 'cgroup.controllers')).filter((name) => WANTED_CONTROLLERS.includes(name));
    writeFileSync(join(own, 'cgroup.subtree_control'), controllers.map((name) => `+${name}`).join(' '));
    divide(own, node, jobs);
  } catch (error) {
    takeBack(own, node, jobs, members);
    return { missing: `the control group ${own} is not this process's to divide: ${(error as Error).message}` };
  }
  return {
    path: jobs,
    // One that has ended meanwhile is nobody's to admit.
    admit: (pid) => attempt(() => move(pid, jobs)),
    remove: () => {
      writeIfThere(join(jobs, 'cgroup.kill'), '1');
      takeBack(own, node, jobs, members);
    },
  };
}

function divide(own: string, node: string, jobs: string): void {
  lower(own, jobs, 'memory.max', RESERVED_BYTES);
  lower(own, jobs, 'pids.max', RESERVED_PIDS);
  writeIfThere(join(node, 'cpu.weight'), WEIGHT_OF_NODE);
}

/** Where the whole has no bound (`max`) there is nothing to divide, nor in the root of all groups. */
function lower(own: string, jobs: string, name: string, reserve: number): void {
  const bound = Number(readWords(join(own, name))[0]);
  if (Number.isFinite(bound)) writeIfThere(join(jobs, name), String(Math.max(Math.floor(bound / 2), bound - reserve)));
}

/** A group with controllers below it holds no processes: first those, then the processes, then the empty groups. */
function takeBack(own: string, node: string, jobs: string, members: readonly number[]): void {
  const enabled = readWords(join(own, 'cgroup.subtree_control'));
  attempt(() => writeFileSync(join(own, 'cgroup.subtree_control'), enabled.map((name) => `-${name}`).join(' ')));
  for (const pid of members) attempt(() => move(pid, own));
  for (const path of [jobs, node]) attempt(() => rmdirSync(path));
}

const move = (pid: number, path: string): void => writeFileSync(join(path, 'cgroup.procs'), String(pid));

/** The directory of this process's group, as this process sees it. */
function findOwnCgroup(): string | undefined {
  const path = /^0::(\/.*)$/m.exec(read('/proc/self/cgroup'))?.[1];
  const mount = read('/proc/self/mountinfo')
    .split('\n')
    .find((line) => / - cgroup2 /.test(line))
    ?.split(' ');
  if (path === undefined || mount === undefined) return undefined;
  const [root, target] = [mount[3] as string, mount[4] as string];
  if (path !== root && !path.startsWith(root === '/' ? '/' : `${root}/`)) return undefined;
  const own = join(target, path.slice(root === '/' ? 0 : root.length));
  return existsSync(join(own, 'cgroup.procs')) ? own : undefined;
}

/** This process, one above it (an init of a container), or one below it. */
function isRelative(pid: number): boolean {
  return ancestorsOf(process.pid).includes(pid) || ancestorsOf(pid).includes(process.pid);
}

function ancestorsOf(pid: number): number[] {
  const line = [pid];
  for (let at = pid; at > 1;) {
    at = Number(/^PPid:\t(\d+)$/m.exec(read(`/proc/${at}/status`))?.[1] ?? 0);
    line.push(at);
  }
  return line;
}

const readWords = (path: string): string[] => read(path).split(/\s+/).filter(Boolean);

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function writeIfThere(path: string, text: string): void {
  if (existsSync(path)) attempt(() => writeFileSync(path, text));
}

function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // Gone, or not to be had: the caller goes on with what there is.
  }
}
