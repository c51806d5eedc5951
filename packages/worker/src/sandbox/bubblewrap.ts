import { lstatSync, readlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import type { JobMode } from '@python3-cluster/shared';
import type { MountView } from './mount-view';

export interface BubblewrapRequest {
  readonly mode: JobMode;
  readonly view: MountView;
  /** Staged runner: read only. */
  readonly runnerPath: string;
  /** Children connect to it. */
  readonly socketPath: string;
  /** The folder of its children's workspaces: scratch folders and pipes. */
  readonly workspacesPath: string;
  /** Whether more users than its own are given to its namespace before it goes on: see `spawn-contained.ts`. */
  readonly hasUsers: boolean;
}

/** Descriptors of the conversation about users. */
export const INFO_DESCRIPTOR = 4;
export const GO_ON_DESCRIPTOR = 5;

/** To mount the scratch folders, which is given up before anything else happens. */
const CAPABILITIES = ['CAP_SYS_ADMIN'];
/** To become a child's user, and to end its processes. */
const CAPABILITIES_OVER_USERS = ['CAP_SETUID', 'CAP_SETGID', 'CAP_KILL'];

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'];
const DEVICE_LINKS = { fd: '/proc/self/fd', stdin: '/proc/self/fd/0', stdout: '/proc/self/fd/1', stderr: '/proc/self/fd/2' };

/**
 * Arguments of bwrap(1) before the command. The command is the first process of its process namespace: when it ends, the
 * kernel has ended all the others before anybody hears of it. It ends with bwrap, and bwrap with the worker node.
 */
export function toBubblewrapArguments({ mode, view, runnerPath, socketPath, workspacesPath, hasUsers }: BubblewrapRequest): string[] {
  const capabilities = hasUsers ? [...CAPABILITIES, ...CAPABILITIES_OVER_USERS] : CAPABILITIES;
  const shown = [...view.readPaths, ...view.writePaths, runnerPath, socketPath, workspacesPath];
  return [
    ...['--unshare-user', '--unshare-ipc', '--unshare-pid', '--unshare-uts', '--unshare-cgroup-try'],
    ...(mode === 'restricted' ? ['--unshare-net'] : []),
    ...['--as-pid-1', '--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ...capabilities.flatMap((name) => ['--cap-add', name]),
    ...(hasUsers ? ['--info-fd', String(INFO_DESCRIPTOR), '--userns-block-fd', String(GO_ON_DESCRIPTOR)] : []),
    // Made by itself, a folder on the way would be closed to all but one user.
    ...foldersAbove(shown).flatMap((path) => ['--dir', path]),
    ...['--proc', '/proc', '--dir', '/dev'],
    ...DEVICES.flatMap((name) => ['--dev-bind', `/dev/${name}`, `/dev/${name}`]),
    ...Object.entries(DEVICE_LINKS).flatMap(([name, target]) => ['--symlink', target, `/dev/${name}`]),
    // A folder comes before what is in it: a mount would hide what was put there before.
    ...[...view.readPaths].sort().flatMap(show),
    ...view.writePaths.flatMap((path) => ['--bind-try', path, path]),
    ...['--ro-bind', runnerPath, runnerPath, '--ro-bind', socketPath, socketPath, '--bind', workspacesPath, workspacesPath],
    ...['--remount-ro', '/', '--chdir', '/', '--'],
  ];
}

function foldersAbove(paths: readonly string[]): string[] {
  const above = new Set<string>();
  for (const path of paths) for (let at = dirname(path); at !== '/'; at = dirname(at)) above.add(at);
  return [...above].filter((folder) => !paths.some((path) => folder === path || folder.startsWith(`${path}/`))).sort();
}

function show(path: string, _index: number, all: readonly string[]): string[] {
  // Part of what is shown already (of a link, what it points to is); making it again would fail.
  if (all.some((other) => path.startsWith(`${other}/`))) return [];
  return isLink(path) ? ['--symlink', readlinkSync(path), path] : ['--ro-bind-try', path, path];
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}
