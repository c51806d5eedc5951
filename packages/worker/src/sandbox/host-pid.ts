import { readFileSync } from 'node:fs';

/**
 * What a process is called here, that is number `pid` in its own process namespace, among the children of `parentPid`.
 * Nothing of this is user code's to say: both files are the kernel's. undefined where it is gone.
 */
export function findHostPid(parentPid: number, pid: number): number | undefined {
  // Newest last, and it is mostly the newest that is asked for.
  for (const candidate of readChildrenOf(parentPid).reverse()) {
    if (readNamespacePid(candidate) === pid) return candidate;
  }
  return undefined;
}

/** A zombie that was the first process of its namespace was the last one, too. */
export const isRunning = (pid: number): boolean => /^State:\t[^ZX]/m.test(read(`/proc/${pid}/status`));

function readChildrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

/** The innermost of the numbers after `NSpid:` (proc(5)); a line break in the process's name is shown escaped. */
function readNamespacePid(pid: number): number | undefined {
  const numbers = /^NSpid:\t(.*)$/m.exec(read(`/proc/${pid}/status`))?.[1];
  return numbers === undefined ? undefined : Number(numbers.split('\t').at(-1));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
