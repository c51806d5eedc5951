import type { IsolationLevel } from '../jobs/job-words';

/**
 * What a worker node says of itself in the registry (a field of the hash `workers`), every `HEARTBEAT_MS`.
 * It grants nothing: it tells the API which lanes are served and what the pools look like.
 */
export interface WorkerHeartbeat {
  readonly id: string;
  readonly nodeName: string;
  readonly pid: number;
  readonly version: string;
  readonly lanes: readonly string[];
  readonly level: IsolationLevel;
  /** What the level is made of, and why what is missing is missing. */
  readonly isolation: WorkerIsolation;
  readonly python: { readonly version: string; readonly fullVersion: string; readonly executable: string };
  readonly pool: PoolStats;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Grows by one with each heartbeat, so that readers need not trust each other's clocks. */
  readonly sequence: number;
  readonly draining: boolean;
  /** Which signing keys it has; absent in heartbeats of older versions. */
  readonly signing?: WorkerSigning;
  /** How its host stands; absent until it has been looked at. */
  readonly host?: HostFigures;
}

export interface WorkerSigning {
  /** Id of the key that it signs with. */
  readonly keyId: string;
  /** Of all keys that it believes, that one first. */
  readonly keyIds: readonly string[];
}

export interface HostFigures {
  /** Of the file system with the run directory. */
  readonly diskFreeBytes: number;
  readonly diskTotalBytes: number;
  /** The host's clock minus that of Redis, within the time a command takes. */
  readonly clockOffsetMs: number;
  /** Of what the node may use, the host's or its control group's: bytes in use and in all. Absent from older nodes. */
  readonly memoryUsedBytes?: number;
  readonly memoryTotalBytes?: number;
  /** Of all processors of the host, 0 to 1, since the look before. */
  readonly cpuShare?: number;
}

export interface PoolStats {
  /** Slots now. */
  readonly size: number;
  /** Slots the pool may grow to. */
  readonly max: number;
  readonly inUse: number;
  /** Slots whose last use ended cleanly and whose template is up. */
  readonly healthy: number;
  /** Jobs on this node that wait for a slot. */
  readonly waiting: number;
}

export interface WorkerIsolation {
  readonly layers: { readonly uid: boolean; readonly namespaces: boolean; readonly landlockAbi: number; readonly seccomp: boolean };
  /** null for a layer that is there. */
  readonly reasons: Readonly<Record<'uid' | 'namespaces' | 'landlock' | 'seccomp', string | null>>;
}
