import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync, rmdirSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Files of control groups, version 2 (cgroups(7)): the kernel makes them, and none is ever made here. */
export function writeText(path: string, text: string): void {
  const descriptor = openSync(path, constants.O_WRONLY);
  try {
    writeSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

/** Empty where it cannot be read. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

export const readWords = (path: string): string[] => readText(path).split(/\s+/).filter(Boolean);

export function writeIfThere(path: string, text: string): void {
  if (existsSync(path)) attempt(() => writeText(path, text));
}

export function attempt(action: () => void): void {
  try {
    action();
  } catch {
    // Gone, or not to be had: the caller goes on with what there is.
  }
}

export const move = (pid: number, path: string): void => writeText(join(path, 'cgroup.procs'), `${pid}\n`);

export function listGroups(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(path, entry.name));
  } catch {
    return [];
  }
}

/** Whether a process is in it or below it. */
export const isPopulated = (path: string): boolean => /^populated 1$/m.test(readText(join(path, 'cgroup.events')));

/** All in it and below it, at once where the kernel can (Linux 5.14); else one by one, which a fork may outrun. */
export function killAll(path: string): void {
  try {
    writeText(join(path, 'cgroup.kill'), '1');
  } catch {
    for (const pid of readWords(join(path, 'cgroup.procs')).map(Number)) {
      if (pid > 1 && pid !== process.pid) attempt(() => process.kill(pid, 'SIGKILL'));
    }
    for (const below of listGroups(path)) killAll(below);
  }
}

const LOOK_MS = 5;
const END_MS = 5_000;

/** Ends all in it and below it. @returns whether nothing is left after five seconds at most */
export async function endAll(path: string): Promise<boolean> {
  for (const until = performance.now() + END_MS; isPopulated(path); await sleep(LOOK_MS)) {
    if (performance.now() > until) return false;
    killAll(path);
  }
  return true;
}

/** With the empty groups below it. */
export function removeEmpty(path: string): void {
  for (const below of listGroups(path)) removeEmpty(below);
  attempt(() => rmdirSync(path));
}

const OF_A_NODE = /^python3-cluster-(?:node|jobs)-(\d+)$/;

/** The process that made a group, by the group's name. */
export const nodeOf = (path: string): number | undefined => {
  const pid = OF_A_NODE.exec(basename(path))?.[1];
  return pid === undefined ? undefined : Number(pid);
};

/** Whether a worker node is where it moved itself; one of another process namespace shows as 0. */
export function isNodeAlive(own: string, pid: number): boolean {
  const members = readWords(join(own, `python3-cluster-node-${pid}`, 'cgroup.procs'));
  return members.includes(String(pid)) || members.includes('0');
}

/** What worker nodes that were killed left: their jobs are ended. What else runs in such a node's own group may be our parent. */
export async function removeDeadNodes(own: string): Promise<void> {
  const dead = listGroups(own).filter((path) => {
    const pid = nodeOf(path);
    return pid !== undefined && pid !== process.pid && !isNodeAlive(own, pid);
  });
  await Promise.all(dead.filter((path) => basename(path).startsWith('python3-cluster-jobs-')).map(endAll));
  for (const path of dead) if (!isPopulated(path)) removeEmpty(path);
}
