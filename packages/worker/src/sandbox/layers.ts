import type { IsolationLevel } from '@python3-cluster/shared';

/** What stands between a caller's code and the host; `docs/security-model.md` says what each layer is good for. */
export interface Layers {
  /** Users that nobody else on the host runs as: one for each mode's template and, with namespaces, one for each of its children. */
  readonly uid: boolean;
  /** bubblewrap: user, process, IPC and mount namespaces, and for RESTRICTED a network of its own. */
  readonly namespaces: boolean;
  /** Version of Landlock's interface, 0 without Landlock. */
  readonly landlockAbi: number;
  readonly seccomp: boolean;
}

/** Since this version Landlock keeps code from TCP ports, too. */
export const LANDLOCK_NETWORK_ABI = 4;

/**
 *   A   uid + namespaces + Landlock (ABI ≥ 4) + seccomp
 *   B   uid or namespaces, + Landlock + seccomp
 *   C   Landlock + seccomp
 *   D   less than that
 */
export function levelOf({ uid, namespaces, landlockAbi, seccomp }: Layers): IsolationLevel {
  if (landlockAbi < 1 || !seccomp) return 'D';
  if (uid && namespaces && landlockAbi >= LANDLOCK_NETWORK_ABI) return 'A';
  return uid || namespaces ? 'B' : 'C';
}
