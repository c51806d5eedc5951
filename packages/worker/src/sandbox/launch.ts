import type { JobMode } from '@python3-cluster/shared';
import { toBubblewrapArguments } from './bubblewrap';
import type { Layers } from './layers';
import type { MountView } from './mount-view';

/** How one mode's templates are contained. */
export interface TemplateSandbox {
  /** What the template must find itself in, or enter. */
  readonly layers: Layers;
  /** Leased for this mode; null where all run as the worker node's user. */
  readonly uid: number | null;
  /** bwrap(1), where there are namespaces. */
  readonly bubblewrap: string | undefined;
  readonly view: MountView;
  readonly slotsPath: string;
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
}

export function toLaunch({ sandbox, mode, runnerPath, socketPath, command }: LaunchRequest): Launch {
  const identity = typeof sandbox?.uid !== 'number' ? {} : { uid: sandbox.uid, gid: sandbox.uid };
  const [file, ...args] = command;
  if (sandbox?.bubblewrap === undefined) return { file, args, identity };
  const { view, slotsPath } = sandbox;
  return {
    file: sandbox.bubblewrap,
    args: [...toBubblewrapArguments({ mode, view, runnerPath, socketPath, slotsPath }), ...command],
    identity,
  };
}
