import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { UidRange } from '@python3-cluster/shared';
import { parseProcStatus } from './proc-status';

export interface UserLease {
  /** The first of the users; the others follow it. Also the numbers of their groups. */
  readonly first: number;
  release(): void;
}

/**
 * Users in a row that nobody else on this host runs as. A lease is an abstract Unix socket with the number in its name, one for
 * each: the kernel gives the name to one process, and takes it back when that process ends, however it ends. Other worker
 * nodes of the same network namespace see it; those of another container have another one, and need another range if they
 * count against the same users.
 */
export async function leaseUsers(range: UidRange, count: number): Promise<UserLease | undefined> {
  const blocks = Math.floor((range.last - range.first + 1) / count);
  const start = Math.floor(Math.random() * blocks);
  for (let step = 0; step < blocks; step += 1) {
    const first = range.first + ((start + step) % blocks) * count;
    const uids = Array.from({ length: count }, (_, index) => first + index);
    const servers = await Promise.all(uids.map(hold));
    const release = (): void => servers.forEach((server) => server?.close());
    if (servers.every((server) => server !== undefined) && (await endProcessesOf(uids))) return { first, release };
    release();
  }
  return undefined;
}

/** Names of users and groups of this system that are in the range; of delegated ranges (subuid(5)) too. */
export function findOverlaps({ first, last }: UidRange, directory = '/etc'): string[] {
  const isWithin = (low: number, count: number): boolean => count > 0 && low <= last && low + count - 1 >= first;
  const rowsOf = (name: string): string[][] =>
    read(`${directory}/${name}`)
      .split('\n')
      .map((line) => line.split(':'));
  const accounts = [...rowsOf('passwd'), ...rowsOf('group')].filter(([, , id]) => isWithin(Number(id), 1));
  const delegated = [...rowsOf('subuid'), ...rowsOf('subgid')].filter(([, low, count]) => isWithin(Number(low), Number(count)));
  return [...new Set([...accounts, ...delegated].map(([name]) => name ?? ''))].filter(Boolean);
}

/** Padded to the longest name there is: versions of Node differ in whether they pad it themselves. */
const ABSTRACT_NAME_BYTES = 107;

function hold(uid: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined));
    server.listen({ path: `\0${`python3-cluster-slot-uid-${uid}`.padEnd(ABSTRACT_NAME_BYTES, '.')}` }, () => {
      server.unref();
      resolve(server);
    });
  });
}

const ROUNDS = 50;
const ROUND_MS = 20;

/** What an earlier owner left, if it was killed in the wrong moment. @returns whether nothing is left */
export async function endProcessesOf(uids: readonly number[]): Promise<boolean> {
  const names = new Set(uids.map(String));
  for (let round = 0; round < ROUNDS; round += 1) {
    const pids = listProcessesOf(names);
    if (pids.length === 0) return true;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone, or not ours to end: the next round shows.
      }
    }
    await sleep(ROUND_MS);
  }
  return false;
}

function listProcessesOf(uids: ReadonlySet<string>): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      const status = parseProcStatus(read(`/proc/${name}/status`));
      return (
        status
          .get('Uid')
          ?.split('\t')
          .some((uid) => uids.has(uid)) && !isOver(status)
      );
    })
    .map(Number);
}

/**
 * A zombie that its parent never fetches, as the first process of a container that is no init, stays for ever and does
 * nothing. But code can end its first thread alone: then the process is called a zombie, too, and the others run on.
 */
const isOver = (status: ReadonlyMap<string, string>): boolean =>
  /^[ZX]/.test(status.get('State') ?? '') && Number(status.get('Threads')) <= 1;

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
