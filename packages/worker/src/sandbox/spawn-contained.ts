import { execFile, spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { GO_ON_DESCRIPTOR, INFO_DESCRIPTOR } from './bubblewrap';
import type { Launch, UsersToGive } from './launch';

export interface ContainedProcess {
  readonly process: ChildProcess;
  /** Rejects where it could not be given its users; it is killed then. */
  readonly admitted: Promise<void>;
}

/**
 * Starts what `toLaunch` made. Where its user namespace is to have more users than its own, bwrap(1) makes the namespace, says
 * which process is in it, and waits until they are written into its maps (user_namespaces(7)), which takes more rights than it has.
 */
export function spawnContained(
  { file, args, identity, users }: Launch,
  options: { readonly env: NodeJS.ProcessEnv; readonly stdio: StdioOptions & readonly unknown[] },
): ContainedProcess {
  const stdio = [...options.stdio];
  if (users !== null) {
    while (stdio.length < INFO_DESCRIPTOR) stdio.push('ignore');
    stdio.push('pipe', 'pipe');
  }
  const child = spawn(file, args, {
    ...identity,
    cwd: '/',
    env: options.env,
    stdio: stdio as StdioOptions,
    // Its own process group: Ctrl-C at a terminal is the worker node's to handle.
    detached: true,
  });
  const admitted = users === null ? Promise.resolve() : giveUsers(child, users, options.env);
  admitted.catch(() => child.kill('SIGKILL'));
  return { process: child, admitted };
}

async function giveUsers(child: ChildProcess, users: UsersToGive, env: NodeJS.ProcessEnv): Promise<void> {
  const streams = child.stdio as readonly unknown[];
  const [info, goOn] = [streams[INFO_DESCRIPTOR] as Readable, streams[GO_ON_DESCRIPTOR] as Writable];
  goOn.on('error', () => undefined);
  let text = '';
  for await (const chunk of info) {
    text += String(chunk);
    if (text.includes('}')) break;
  }
  // It ended before it said anything: why, it says elsewhere.
  if (text === '') return;
  const pid = (JSON.parse(text) as { 'child-pid': number })['child-pid'];
  try {
    writeMaps(pid, users);
  } catch {
    // Root without its rights over other users' files and processes: the namespace's own user has them.
    const [file = '', ...args] = users.command;
    await promisify(execFile)(file, [...args, String(pid), String(users.first), String(users.count)], { cwd: '/', env });
  }
  goOn.end('.');
}

/** The same numbers inside as outside. */
function writeMaps(pid: number, { first, count }: UsersToGive): void {
  for (const map of ['uid_map', 'gid_map']) writeFileSync(`/proc/${pid}/${map}`, `${first} ${first} ${count}\n`);
}
