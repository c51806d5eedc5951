import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { afterEach, describe, expect } from '@jest/globals';
import { itIf, pythonUnderTest } from '../../../../test/support/optional';
import { waitFor } from '../../../../test/support/wait-for';
import { leaseUsers } from './lease-users';

const itAsRoot = itIf(process.getuid?.() === 0, 'takes root');
/** Outside of those that worker nodes lease by default. */
const USER = { first: 60_980, last: 60_980 };
const parents: ChildProcess[] = [];
afterEach(() => {
  for (const parent of parents.splice(0)) parent.kill('SIGKILL');
});

/** A child of that user whose parent never asks how it ended; resolves with its pid when it has done what it does. */
async function leaveChild(what: string): Promise<number> {
  const code = `
import ctypes, os, platform, sys, threading, time
def end_first_thread():
    ctypes.CDLL(None).syscall({'x86_64': 60, 'aarch64': 93}[platform.machine()], 0)
child = os.fork()
if child == 0:
    os.setresgid(${USER.first}, ${USER.first}, ${USER.first})
    os.setresuid(${USER.first}, ${USER.first}, ${USER.first})
    ${what}
    os._exit(0)
while open(f'/proc/{child}/stat').read().rsplit(')', 1)[1].split()[0] != 'Z': time.sleep(0.01)
print(child, flush=True)
time.sleep(60)`;
  const { file, env } = pythonUnderTest();
  const parent = spawn(file, ['-I', '-c', code], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  parents.push(parent);
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  return Number(line.toString());
}

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('a user of which an earlier owner left a zombie that nobody fetches', () => {
  itAsRoot('is leased all the same', async () => {
    const zombie = await leaveChild('pass');
    const lease = await leaseUsers(USER, 1);
    expect(lease?.first).toBe(USER.first);
    lease?.release();
    expect(isThere(zombie)).toBe(true);
  });

  itAsRoot('whose other threads run on is leased when they have been ended', async () => {
    const pid = await leaveChild('threading.Thread(target=time.sleep, args=(60,)).start(); end_first_thread()');
    const threads = (): string[] => readdirSync(`/proc/${pid}/task`);
    expect(threads()).toHaveLength(2);
    const lease = await leaseUsers(USER, 1);
    expect([lease?.first, threads()]).toEqual([USER.first, [String(pid)]]);
    lease?.release();
  });
});

describe('users in a row', () => {
  const range = { first: 60_970, last: 60_978 };
  itAsRoot('are leased to one at a time, and again when they are released', async () => {
    const rows = [];
    for (let row = 0; row < 3; row += 1) rows.push(await leaseUsers(range, 3));
    expect(rows.map((row) => row?.first).sort()).toEqual([range.first, range.first + 3, range.first + 6]);
    expect(await leaseUsers(range, 3)).toBeUndefined();
    expect(await leaseUsers(range, 1)).toBeUndefined();
    const given = rows.pop();
    given?.release();
    const again = await waitFor('the row to be free', () => leaseUsers(range, 3));
    expect(again.first).toBe(given?.first);
    for (const row of [...rows, again]) row?.release();
  });

  itAsRoot('are not leased where the range holds fewer', async () => {
    expect(await leaseUsers(range, 10)).toBeUndefined();
  });
});
