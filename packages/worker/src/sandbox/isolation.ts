import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterError, type Config, type IsolationLevel, type JobMode, type Logger } from '@python3-cluster/shared';
import type { RunDirectory } from '../run-directory/stage-runner';
import { scratchPathsIn } from '../run-directory/scratch-paths';
import type { PythonCommand } from './python-command';
import { assertOutside, isUnpackedPackage } from './assert-outside';
import { readInterpreterPaths } from './interpreter-paths';
import type { TemplateSandbox } from './launch';
import { levelOf, type Layers } from './layers';
import { createMountView } from './mount-view';
import { findOverlaps, leaseUsers, type UserLease } from './lease-users';
import { probeLayers, type LayerReasons } from './probe-layers';

/** What this host gives, found out by trying. */
export interface Isolation {
  readonly level: IsolationLevel;
  readonly layers: Layers;
  readonly reasons: LayerReasons;
  /** The users of templates, by mode; undefined where they run as the worker node's. */
  readonly templateUids: Readonly<Record<JobMode, number>> | undefined;
  sandboxFor(mode: JobMode): TemplateSandbox;
  /** Gives the users back; call it when nothing of theirs runs any more. */
  release(): void;
}

export interface IsolationParts {
  readonly config: Config;
  /** Files that hold secrets of the configuration: no code is to be shown them. */
  readonly secretFiles?: readonly string[];
  readonly python: PythonCommand;
  readonly directory: RunDirectory;
  /** Workspaces of each mode's children. */
  readonly workspaces: Readonly<Record<JobMode, number>>;
  /** Where bwrap(1) is, or why there is none. */
  readonly bubblewrap: string | { readonly missing: string };
  readonly logger: Logger;
}

const PRODUCT_ROOT = join(__dirname, '..', '..', '..', '..');

/** @throws ClusterError ISOLATION_INSUFFICIENT where it is less than PYTHON3_ISOLATION accepts, CONFIG_INVALID */
export async function createIsolation(parts: IsolationParts): Promise<Isolation> {
  const { config, secretFiles = [], python, directory, workspaces, bubblewrap } = parts;
  const users = await leaseAll(config, workspaces);
  const release = (): void => users.lease?.release();
  try {
    const interpreterPaths = await readInterpreterPaths(python);
    const { adminReadPaths, adminWritePaths } = config;
    const viewFor = (mode: JobMode) => createMountView({ mode, interpreterPaths, adminReadPaths, adminWritePaths });
    const { readPaths, writePaths } = viewFor('admin');
    const dataDirectories = [join(PRODUCT_ROOT, '.data'), config.dataDirectory].filter(Boolean);
    const shown = [...readPaths.filter((path) => !isUnpackedPackage(path, dataDirectories)), ...writePaths];
    assertOutside([directory.path, join(PRODUCT_ROOT, '.env'), ...dataDirectories, ...secretFiles], shown);
    const { runnerPath, socketPath } = directory;
    const workspacesPath = directory.workspacesPath('restricted');
    const uid = users.lease?.first ?? { missing: users.missing };
    const probed = await probeLayers({ python, runnerPath, socketPath, workspacesPath, view: viewFor('restricted'), uid, bubblewrap });
    const { layers, reasons } = probed;
    const level = levelOf(layers);
    assertAccepted(level, config, reasons);
    const first = layers.uid ? users.lease?.first : undefined;
    const templateUids = first === undefined ? undefined : { restricted: first, admin: first + workspaces.restricted + 1 };
    if (templateUids === undefined) release();
    const sandboxFor = (mode: JobMode): TemplateSandbox => {
      const path = directory.workspacesPath(mode);
      const paths = scratchPathsIn(path, workspaces[mode]);
      return {
        layers,
        uid: templateUids?.[mode] ?? null,
        firstChildUid: layers.namespaces && templateUids ? templateUids[mode] + 1 : null,
        bubblewrap: layers.namespaces ? (bubblewrap as string) : undefined,
        view: viewFor(mode),
        workspacesPath: path,
        scratch: layers.namespaces ? { paths, bytes: config.maxScratchMb * 1_048_576, entries: MAX_SCRATCH_ENTRIES } : null,
      };
    };
    return { level, layers, reasons, templateUids, sandboxFor, release };
  } catch (error) {
    release();
    throw error;
  }
}

/** Inodes of a scratch folder: each is memory of the kernel's, whatever is in it. */
const MAX_SCRATCH_ENTRIES = 50_000;

interface Users {
  /** Those of each mode in a row: its template's, then one for each workspace. */
  readonly lease: UserLease | undefined;
  readonly missing: string;
}

async function leaseAll({ slotUids }: Config, workspaces: IsolationParts['workspaces']): Promise<Users> {
  if (!maySetUsers()) return { lease: undefined, missing: 'this process may not set users (CAP_SETUID)' };
  const count = workspaces.restricted + workspaces.admin + 2;
  const { first, last } = slotUids;
  if (last - first + 1 < count) {
    throw new ClusterError(
      'CONFIG_INVALID',
      `PYTHON3_SLOT_UIDS=${first}-${last} holds ${last - first + 1} users; with PYTHON3_POOL_MAX as it is a worker node needs ${count}.`,
    );
  }
  const overlaps = findOverlaps(slotUids);
  if (overlaps.length > 0) {
    throw new ClusterError(
      'CONFIG_INVALID',
      `PYTHON3_SLOT_UIDS=${slotUids.first}-${slotUids.last} overlaps users or groups of this system: ${overlaps.join(', ')}.`,
    );
  }
  const lease = await leaseUsers(slotUids, count);
  return { lease, missing: lease ? '' : `no ${count} users in a row of PYTHON3_SLOT_UIDS=${first}-${last} are free` };
}

const SETGID_AND_SETUID = 0b1100_0000n;

/** Capabilities 6 and 7; root in a container may have lost them. */
function maySetUsers(): boolean {
  const mask = /^CapEff:\t([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
  return (BigInt(`0x${mask}`) & SETGID_AND_SETUID) === SETGID_AND_SETUID;
}

function assertAccepted(level: IsolationLevel, { isolation, nodeEnvironment }: Config, reasons: LayerReasons): void {
  const isProduction = nodeEnvironment === 'production';
  if (level <= isolation && !(level === 'D' && isProduction)) return;
  const missing = Object.entries(reasons).flatMap(([layer, reason]) => (reason === null ? [] : [`${layer}: ${reason}`]));
  const wanted =
    level === 'D' && isProduction ? 'and level D is never accepted in production' : `and PYTHON3_ISOLATION=${isolation} is required`;
  throw new ClusterError('ISOLATION_INSUFFICIENT', `This host gives isolation level ${level}, ${wanted}. Missing: ${missing.join('; ')}.`);
}
