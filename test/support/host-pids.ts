import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listDescendants } from './descendants';

/**
 * Processes below a worker node that call themselves by this number. Where jobs have a process namespace, that is not the
 * number they have on the host, and each mode has a namespace of its own.
 */
export function findHostPids(workerPid: number, pid: number): number[] {
  return listDescendants(workerPid).filter((candidate) => innermostPid(candidate) === pid && !isBubblewrap(candidate));
}

/** The one that is such a process of ADMIN mode: the only one whose view of the network is the host's. */
export function findAdminPid(workerPid: number, pid: number): number | undefined {
  return findHostPids(workerPid, pid).find((candidate) => ancestors(candidate).every((above) => !hasOwnNetwork(above)));
}

/** The process on this host that calls itself by this number in ADMIN mode, on the worker node of that scratch folder. */
export function findHostPid(pid: number, scratchPath: string): number {
  const workerPid = Number.parseInt(readFileSync(join(scratchPath, '..', '..', '..', 'worker.pid'), 'utf8'), 10);
  const found = findAdminPid(workerPid, pid);
  if (found === undefined) throw new Error(`no process of ADMIN mode calls itself ${pid}`);
  return found;
}

function innermostPid(pid: number): number | undefined {
  const line = /^NSpid:\t(.*)$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return line === undefined ? undefined : Number(line.split('\t').at(-1));
}

function* above(pid: number): Generator<number> {
  for (let at = pid; at > 1;) {
    yield at;
    at = Number(/^PPid:\t(\d+)$/m.exec(read(`/proc/${at}/status`))?.[1] ?? 0);
  }
}

const ancestors = (pid: number): number[] => [...above(pid)];
const isBubblewrap = (pid: number): boolean => /^[^\0]*bwrap\0/.test(read(`/proc/${pid}/cmdline`));
const hasOwnNetwork = (pid: number): boolean => read(`/proc/${pid}/cmdline`).split('\0').includes('--unshare-net');

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
