import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterError, type Config, type IsolationLevel, type JobMode, type Logger } from '@python3-cluster/shared';
import type { RunDirectory } from '../runner/stage-runner';
import type { PythonCommand } from '../runner/template-start';
import { assertOutside, isUnpackedPackage } from './assert-outside';
import { readInterpreterPaths } from './interpreter-paths';
import type { TemplateSandbox } from './launch';
import { levelOf, type Layers } from './layers';
import { createMountView } from './mount-view';
import { probeLayers, type LayerReasons } from './probe-layers';
import type { SlotOwners } from './slot-owners';
import { findOverlaps, leaseUid, type UidLease } from './slot-uids';

/** What this host gives, found out by trying. */
export interface Isolation {
  readonly level: IsolationLevel;
  readonly layers: Layers;
  readonly reasons: LayerReasons;
  /** undefined where slots run as the worker node's user. */
  readonly owners: SlotOwners | undefined;
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
  /** Where bwrap(1) is, or why there is none. */
  readonly bubblewrap: string | { readonly missing: string };
  readonly logger: Logger;
}

const PRODUCT_ROOT = join(__dirname, '..', '..', '..', '..');

/** @throws ClusterError ISOLATION_INSUFFICIENT where it is less than PYTHON3_ISOLATION accepts, CONFIG_INVALID */
export async function createIsolation(parts: IsolationParts): Promise<Isolation> {
  const { config, secretFiles = [], python, directory, bubblewrap } = parts;
  const leases = await leaseUids(config);
  const release = (): void => leases.uids?.forEach((lease) => lease.release());
  try {
    const interpreterPaths = await readInterpreterPaths(python);
    const { adminReadPaths, adminWritePaths } = config;
    const viewFor = (mode: JobMode) => createMountView({ mode, interpreterPaths, adminReadPaths, adminWritePaths });
    const { readPaths, writePaths } = viewFor('admin');
    const dataDirectories = [join(PRODUCT_ROOT, '.data'), config.dataDirectory].filter(Boolean);
    const shown = [...readPaths.filter((path) => !isUnpackedPackage(path, dataDirectories)), ...writePaths];
    assertOutside([directory.path, join(PRODUCT_ROOT, '.env'), ...dataDirectories, ...secretFiles], shown);
    const { runnerPath, socketPath, slotsPath } = directory;
    const uid = leases.uids?.[0].uid ?? { missing: leases.missing };
    const probed = await probeLayers({ python, runnerPath, socketPath, slotsPath, view: viewFor('restricted'), uid, bubblewrap });
    const { layers, reasons } = probed;
    const level = levelOf(layers);
    assertAccepted(level, config, reasons);
    const owners = layers.uid && leases.uids ? { restricted: leases.uids[0].uid, admin: leases.uids[1].uid } : undefined;
    if (owners === undefined) release();
    const sandboxFor = (mode: JobMode): TemplateSandbox => ({
      layers,
      uid: owners?.[mode] ?? null,
      bubblewrap: layers.namespaces ? (bubblewrap as string) : undefined,
      view: viewFor(mode),
      slotsPath,
    });
    return { level, layers, reasons, owners, sandboxFor, release };
  } catch (error) {
    release();
    throw error;
  }
}

interface Leases {
  readonly uids: readonly [UidLease, UidLease] | undefined;
  readonly missing: string;
}

async function leaseUids({ slotUids }: Config): Promise<Leases> {
  if (!maySetUsers()) return { uids: undefined, missing: 'this process may not set users (CAP_SETUID)' };
  const overlaps = findOverlaps(slotUids);
  if (overlaps.length > 0) {
    throw new ClusterError(
      'CONFIG_INVALID',
      `PYTHON3_SLOT_UIDS=${slotUids.first}-${slotUids.last} overlaps users or groups of this system: ${overlaps.join(', ')}.`,
    );
  }
  const first = await leaseUid(slotUids);
  const second = await leaseUid(slotUids);
  if (first !== undefined && second !== undefined) return { uids: [first, second], missing: '' };
  first?.release();
  return { uids: undefined, missing: `no two users of PYTHON3_SLOT_UIDS=${slotUids.first}-${slotUids.last} are free` };
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
