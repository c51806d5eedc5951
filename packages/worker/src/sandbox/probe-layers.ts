import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { JobMode } from '@python3-cluster/shared';
import type { PythonCommand } from './python-command';
import { toLaunch, type TemplateSandbox } from './launch';
import type { Layers } from './layers';
import type { MountView } from './mount-view';
import { spawnContained } from './spawn-contained';

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
  readonly workspacesPath: string;
  readonly view: MountView;
  /** A leased one, to which the next is leased too, or why there is none. */
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
  /** Of what is only asked for where there are namespaces: a file system mounted, and a child's user become. */
  readonly mounts: string | null;
  readonly childUser: string | null;
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
      firstChildUid: withUid && withNamespaces ? (uid as number) + 1 : null,
      workspacesPath: request.workspacesPath,
      scratch: withNamespaces ? { paths: [request.workspacesPath], bytes: 1_048_576, entries: 16 } : null,
    };
    const found = await ask(request, sandbox).catch((error: unknown) => (error as Error).message.slice(0, 300));
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

/** @throws Error with the last line of what it said */
async function ask({ python, runnerPath, socketPath }: ProbeRequest, sandbox: TemplateSandbox): Promise<Findings> {
  const wanted = sandbox.scratch === null ? [] : [String(sandbox.firstChildUid ?? ''), ...sandbox.scratch.paths];
  const command = [python.file, '-I', '-B', '-u', runnerPath, 'probe', ...wanted] as const;
  const launch = toLaunch({ sandbox, mode: MODE, runnerPath, socketPath, command: [...command] });
  const { process: probe, admitted } = spawnContained(launch, { env: { ...python.env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => probe.kill('SIGKILL'), ANSWER_MS);
  try {
    const ended = once(probe, 'close');
    const [stdout, stderr] = await Promise.all([text(probe.stdout as Readable), text(probe.stderr as Readable), ended, admitted]);
    if (probe.exitCode !== 0) throw new Error(lastLine(stderr) ?? `it ended with ${probe.signalCode ?? `exit code ${probe.exitCode}`}`);
    return JSON.parse(stdout) as Findings;
  } finally {
    clearTimeout(timer);
  }
}

function whyNot({ pid, uids, gids, groups, mounts, childUser }: Findings, { layers, uid }: TemplateSandbox): string | undefined {
  if (layers.namespaces && pid !== 1) return `the process had number ${pid} in its namespace`;
  if (mounts !== null) return `nothing could be mounted: ${mounts}`;
  if (childUser !== null) return `a child's user could not be taken: ${childUser}`;
  if (uid === null) return undefined;
  const isOnly = [...uids, ...gids, ...groups].every((id) => id === uid);
  return isOnly ? undefined : `the process ran as users ${uids.join(', ')}, groups ${[...gids, ...groups].join(', ')}`;
}

/** What a program said before it gave up says more than that it did. */
function lastLine(said: string): string | undefined {
  return said.trim() === '' ? undefined : said.trim().split('\n').at(-1);
}
