import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Logger } from '@python3-cluster/shared';
import { attempt, endAll, isNodeAlive, killAll, listGroups, move, nodeOf, readText, readWords, removeDeadNodes, removeEmpty, writeIfThere, writeText } from './cgroup-files'; // prettier-ignore
import { WorkspaceGroup } from './workspace-group';

/*
 * Control groups, version 2 (cgroups(7)), where the worker node has been given one of its own: a unit with `Delegate=yes`,
 * a container that may write to its group. What it may use is then divided:
 *
 *   <its group>/                    as whoever started the node has bounded it
 *     python3-cluster-node-<pid>    the node itself, before all jobs where processors are scarce
 *     python3-cluster-jobs-<pid>    all that runs code: the rest, less a reserve for the node
 *       templates
 *       <mode>-<workspace>          a child and all it forks, bounded as its job is: workspace-group.ts
 *
 * So jobs that together take more than there is are ended, and never the node that renews their locks; and the kernel holds
 * the memory limit of each. Where there are groups but no controllers, they are for counting CPU time and for ending all of a job.
 */
export interface JobsCgroup {
  readonly path: string;
  /** Of its controllers, those that jobs are bounded by. */
  readonly controllers: readonly string[];
  /** A template that has not forked yet. */
  admit(pid: number): void;
  /** For a workspace of that name; undefined where it cannot be made, which is told. */
  makeGroup(name: string): WorkspaceGroup | undefined;
  /** Ends what is left in it. */
  remove(): Promise<void>;
}

/** Of Redis client, queues and outcomes under way. */
const RESERVED_BYTES = 256 * 1_048_576;
/** Threads of Node, and the processes that empty folders. */
const RESERVED_PIDS = 64;
const WEIGHT_OF_NODE = '1000';
const WANTED_CONTROLLERS = ['cpu', 'memory', 'pids'];

export type CgroupOrReason = JobsCgroup | { readonly missing: string };

export interface CgroupParts {
  readonly logger: Logger;
  /** The group to divide, if it is not the one that this process is in. */
  readonly own?: string | undefined;
}

/** Moves this process, too. Nothing is left changed where it cannot be done. */
export async function createJobsCgroup({ logger, own: given }: CgroupParts): Promise<CgroupOrReason> {
  const found = given ?? findOwnCgroup();
  if (found === undefined) return { missing: 'there are no control groups of version 2' };
  const own = isOfDeadNode(found) ? dirname(found) : found;
  const [node, jobs] = ['node', 'jobs'].map((part) => join(own, `python3-cluster-${part}-${process.pid}`)) as [string, string];
  const members = [...new Set([own, found])].flatMap((path) => readWords(join(path, 'cgroup.procs')).map(Number));
  const strangers = members.filter((pid) => !isRelative(pid));
  if (strangers.length > 0) return { missing: `other processes share the control group ${own}` };
  await removeDeadNodes(own);
  const templates = join(jobs, 'templates');
  try {
    for (const path of [node, jobs, templates]) if (!existsSync(path)) mkdirSync(path);
    for (const pid of members) move(pid, node);
    for (const path of [own, jobs]) passOn(path);
    divide(own, node, jobs);
  } catch (error) {
    takeBack(own, node, jobs, members);
    return { missing: `the control group ${own} is not this process's to divide: ${(error as Error).message}` };
  }
  // It may have held who started this process, until now.
  if (found !== own) removeEmpty(found);
  return {
    path: jobs,
    controllers: readWords(join(jobs, 'cgroup.subtree_control')),
    // One that has ended meanwhile is nobody's to admit.
    admit: (pid) => attempt(() => move(pid, templates)),
    makeGroup: (name) => makeGroup(join(jobs, name), logger),
    remove: async () => {
      killAll(jobs);
      await endAll(jobs);
      takeBack(own, node, jobs, members);
    },
  };
}

function makeGroup(path: string, logger: Logger): WorkspaceGroup | undefined {
  try {
    return new WorkspaceGroup(path, logger);
  } catch (error) {
    logger.error({ path, error: String(error) }, 'a workspace has no control group: its jobs are watched as on hosts without them');
    return undefined;
  }
}

/** Controllers that groups below it shall have. */
function passOn(path: string): void {
  const controllers = readWords(join(path, 'cgroup.controllers')).filter((name) => WANTED_CONTROLLERS.includes(name));
  if (controllers.length > 0) writeText(join(path, 'cgroup.subtree_control'), controllers.map((name) => `+${name}`).join(' '));
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
  removeEmpty(jobs);
  const isShared = listGroups(own).some((path) => path !== node && nodeOf(path) !== undefined);
  const enabled = readWords(join(own, 'cgroup.subtree_control'));
  if (!isShared && enabled.length > 0) {
    attempt(() => writeText(join(own, 'cgroup.subtree_control'), enabled.map((name) => `-${name}`).join(' ')));
  }
  for (const pid of members) attempt(() => move(pid, own));
  removeEmpty(node);
}

/** Of a process that was started by one that such a node had moved along: an init of a container. */
function isOfDeadNode(path: string): boolean {
  const pid = nodeOf(path);
  return pid !== undefined && !isNodeAlive(dirname(path), pid);
}

/** The directory of this process's group, as this process sees it. */
function findOwnCgroup(): string | undefined {
  const path = /^0::(\/.*)$/m.exec(readText('/proc/self/cgroup'))?.[1];
  const mount = readText('/proc/self/mountinfo')
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
    at = Number(/^PPid:\t(\d+)$/m.exec(readText(`/proc/${at}/status`))?.[1] ?? 0);
    line.push(at);
  }
  return line;
}
