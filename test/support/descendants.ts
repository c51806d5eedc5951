import { readdirSync, readFileSync } from 'node:fs';

/** Pids of all processes below one, at this moment. */
export function listDescendants(rootPid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const parent = readParent(Number(name));
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  for (const queue = [rootPid]; queue.length > 0;) {
    const below = children.get(queue.pop() as number) ?? [];
    found.push(...below);
    queue.push(...below);
  }
  return found;
}

/** Those of the pids that still run; the dead that nobody has collected do not count. */
export const listAlive = (pids: readonly number[]): number[] => pids.filter((pid) => !['Z', 'X', undefined].includes(readStat(pid)?.[0]));

const readParent = (pid: number): number | undefined => {
  const parent = readStat(pid)?.[1];
  return parent === undefined ? undefined : Number(parent);
};

function readStat(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
