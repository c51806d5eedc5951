import { lstatSync, readlinkSync } from 'node:fs';
import type { JobMode } from '@python3-cluster/shared';
import type { MountView } from './mount-view';

export interface BubblewrapRequest {
  readonly mode: JobMode;
  readonly view: MountView;
  /** Staged runner: read only. */
  readonly runnerPath: string;
  /** Children connect to it. */
  readonly socketPath: string;
  /** The folder of all slots: scratch folders and pipes. */
  readonly slotsPath: string;
}

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'];
const DEVICE_LINKS = { fd: '/proc/self/fd', stdin: '/proc/self/fd/0', stdout: '/proc/self/fd/1', stderr: '/proc/self/fd/2' };

/**
 * Arguments of bwrap(1) before the command. The command is the first process of its process namespace: when it ends, the
 * kernel has ended all the others before anybody hears of it. It ends with bwrap, and bwrap with the worker node.
 */
export function toBubblewrapArguments({ mode, view, runnerPath, socketPath, slotsPath }: BubblewrapRequest): string[] {
  return [
    ...['--unshare-user', '--unshare-ipc', '--unshare-pid', '--unshare-uts', '--unshare-cgroup-try'],
    ...(mode === 'restricted' ? ['--unshare-net'] : []),
    ...['--as-pid-1', '--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ...['--proc', '/proc', '--dir', '/dev'],
    ...DEVICES.flatMap((name) => ['--dev-bind', `/dev/${name}`, `/dev/${name}`]),
    ...Object.entries(DEVICE_LINKS).flatMap(([name, target]) => ['--symlink', target, `/dev/${name}`]),
    // A folder comes before what is in it: a mount would hide what was put there before.
    ...[...view.readPaths].sort().flatMap(show),
    ...view.writePaths.flatMap((path) => ['--bind-try', path, path]),
    ...['--ro-bind', runnerPath, runnerPath, '--ro-bind', socketPath, socketPath, '--bind', slotsPath, slotsPath],
    ...['--remount-ro', '/', '--chdir', '/', '--'],
  ];
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
