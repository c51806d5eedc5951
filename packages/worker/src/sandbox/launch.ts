import type { JobMode, SandboxSettings } from '@python3-cluster/shared';
import { toBubblewrapArguments } from './bubblewrap';
import type { Layers } from './layers';
import type { MountView } from './mount-view';

/** How one mode's templates are contained. */
export interface TemplateSandbox {
  /** What the template must find itself in, or enter. */
  readonly layers: Layers;
  /** The template's, leased; null where all run as the worker node's user. */
  readonly uid: number | null;
  /** The first of its children's users, one for each workspace, which follow the template's; null where they stay its user. */
  readonly firstChildUid: number | null;
  /** bwrap(1), where there are namespaces. */
  readonly bubblewrap: string | undefined;
  readonly view: MountView;
  readonly workspacesPath: string;
  /** Scratch folders that it mounts, in the order of their users; null where they are folders of the host. */
  readonly scratch: SandboxSettings['scratch'];
}

export interface LaunchRequest {
  readonly sandbox: TemplateSandbox | null;
  readonly mode: JobMode;
  readonly runnerPath: string;
  readonly socketPath: string;
  readonly command: readonly [file: string, ...args: string[]];
}

/** For `spawn`: it drops to the user, and every supplementary group, before anything else happens. */
export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
  readonly identity: { readonly uid?: number; readonly gid?: number };
  /** Users that exist in its namespace, the process's own first; null where there is no more than that one. */
  readonly users: UsersToGive | null;
}

export interface UsersToGive {
  readonly first: number;
  readonly count: number;
  /** Gives them where this process has not the rights: with the number of a process, the first user and their count behind it. */
  readonly command: readonly string[];
}

export function toLaunch({ sandbox, mode, runnerPath, socketPath, command }: LaunchRequest): Launch {
  const identity = typeof sandbox?.uid !== 'number' ? {} : { uid: sandbox.uid, gid: sandbox.uid };
  const [file, ...args] = command;
  if (sandbox?.bubblewrap === undefined) return { file, args, identity, users: null };
  const { view, workspacesPath, uid, firstChildUid, scratch } = sandbox;
  const count = firstChildUid === null || uid === null ? 0 : firstChildUid - uid + (scratch?.paths.length ?? 0);
  const giveUsers = [command[0], '-I', '-B', runnerPath, 'give-users'];
  const users = uid === null || count === 0 ? null : { first: uid, count, command: giveUsers };
  return {
    file: sandbox.bubblewrap,
    args: [...toBubblewrapArguments({ mode, view, runnerPath, socketPath, workspacesPath, hasUsers: users !== null }), ...command],
    identity,
    users,
  };
}
