import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { JobMode } from '@python3-cluster/shared';
import type { PythonCommand } from '../runner/template-start';
import { toLaunch, type TemplateSandbox } from './launch';
import type { Layers } from './layers';
import type { MountView } from './mount-view';

/** Why a layer is not there; null where it is. */
export type LayerReasons = Readonly<Record<'uid' | 'namespaces' | 'landlock' | 'seccomp', string | null>>;

export interface ProbedLayers {
  readonly layers: Layers;
  readonly reasons: LayerReasons;
}

export interface ProbeRequest {
  readonly python: PythonCommand;
  readonly runnerPath: string;
  readonly socketPath: string;
  readonly slotsPath: string;
  readonly view: MountView;
  /** A leased one, or why there is none. */
  readonly uid: number | { readonly missing: string };
  /** bwrap(1), or why there is none. */
  readonly bubblewrap: string | { readonly missing: string };
}

/** What the process found where it was put; `python3_cluster_runner/probe.py` says how. */
interface Findings {
  readonly pid: number;
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly groups: readonly number[];
  readonly landlockAbi: number;
  readonly landlock: string | null;
  readonly seccomp: string | null;
}

const MODE: JobMode = 'restricted';
const ANSWER_MS = 20_000;

/** Tries, in throwaway processes, the way templates will be started: with both outer layers, with either, with none. */
export async function probeLayers(request: ProbeRequest): Promise<ProbedLayers> {
  const { uid, bubblewrap } = request;
  let uidReason = typeof uid === 'number' ? null : uid.missing;
  let namespacesReason = typeof bubblewrap === 'string' ? null : bubblewrap.missing;
  const attempt = async (withUid: boolean, withNamespaces: boolean): Promise<ProbedLayers | string> => {
    const sandbox: TemplateSandbox = {
      layers: { uid: withUid, namespaces: withNamespaces, landlockAbi: 0, seccomp: false },
      uid: withUid ? (uid as number) : null,
      bubblewrap: withNamespaces ? (bubblewrap as string) : undefined,
      view: request.view,
      slotsPath: request.slotsPath,
    };
    const found = await ask(request, sandbox).catch((error: unknown) => firstLine(error));
    if (typeof found === 'string') return found;
    const problem = whyNot(found, sandbox);
    if (problem !== undefined) return problem;
    return {
      layers: { ...sandbox.layers, landlockAbi: found.landlock === null ? found.landlockAbi : 0, seccomp: found.seccomp === null },
      reasons: {
        uid: withUid ? null : (uidReason ?? 'not with namespaces'),
        namespaces: withNamespaces ? null : (namespacesReason ?? 'not with a user of its own'),
        landlock: found.landlock,
        seccomp: found.seccomp,
      },
    };
  };
  if (uidReason === null && namespacesReason === null) {
    const both = await attempt(true, true);
    if (typeof both !== 'string') return both;
    namespacesReason = both;
  }
  if (uidReason === null) {
    const own = await attempt(true, false);
    if (typeof own !== 'string') return own;
    uidReason = own;
  }
  if (typeof bubblewrap === 'string') {
    const namespaces = await attempt(false, true);
    if (typeof namespaces !== 'string') return namespaces;
    namespacesReason = namespaces;
  }
  const none = await attempt(false, false);
  if (typeof none !== 'string') return none;
  return {
    layers: { uid: false, namespaces: false, landlockAbi: 0, seccomp: false },
    reasons: { uid: uidReason, namespaces: namespacesReason, landlock: none, seccomp: none },
  };
}

async function ask({ python, runnerPath, socketPath }: ProbeRequest, sandbox: TemplateSandbox): Promise<Findings> {
  const command = [python.file, '-I', '-B', '-u', runnerPath, 'probe'] as const;
  const { file, args, identity } = toLaunch({ sandbox, mode: MODE, runnerPath, socketPath, command: [...command] });
  const { stdout } = await promisify(execFile)(file, args, { cwd: '/', env: { ...python.env }, timeout: ANSWER_MS, ...identity });
  return JSON.parse(stdout) as Findings;
}

function whyNot({ pid, uids, gids, groups }: Findings, { layers, uid }: TemplateSandbox): string | undefined {
  if (layers.namespaces && pid !== 1) return `the process had number ${pid} in its namespace`;
  if (uid === null) return undefined;
  const isOnly = [...uids, ...gids, ...groups].every((id) => id === uid);
  return isOnly ? undefined : `the process ran as users ${uids.join(', ')}, groups ${[...gids, ...groups].join(', ')}`;
}

/** What a program said before it gave up says more than that it did. */
function firstLine(error: unknown): string {
  const { stderr = '', message } = error as Error & { stderr?: string };
  const words = stderr.trim() === '' ? message : stderr.trim();
  return words.split('\n').at(-1)?.slice(0, 300) ?? 'it failed';
}
