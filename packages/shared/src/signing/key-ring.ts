import { createHash, hkdfSync } from 'node:crypto';

/** What a derived key is for. One purpose, one scope, one key: a MAC for one thing is worth nothing for another. */
export type KeyPurpose = 'job' | 'result' | 'record' | 'session' | 'webhook' | 'instance';

/**
 * Derives one key per purpose and scope from the master keys (HKDF-SHA-256, RFC 5869). The first master signs; the
 * others are former ones, still believed during a rotation.
 */
export class KeyRing {
  /** Id of the master that signs. */
  readonly currentKeyId: string;
  private readonly masters = new Map<string, Buffer>();
  private readonly derived = new Map<string, Buffer>();

  constructor(current: string, former: readonly string[] = []) {
    this.currentKeyId = keyIdOf(current);
    for (const master of [current, ...former]) this.masters.set(keyIdOf(master), Buffer.from(master, 'utf8'));
  }

  /** Ids of all masters, that which signs first. */
  get keyIds(): readonly string[] {
    return [...this.masters.keys()];
  }

  /** undefined where the key id is not one of ours. */
  deriveKey(keyId: string, purpose: KeyPurpose, scope: string): Buffer | undefined {
    const master = this.masters.get(keyId);
    if (master === undefined) return undefined;
    const name = `${keyId}|${purpose}|${scope}`;
    let key = this.derived.get(name);
    if (key === undefined) {
      key = Buffer.from(hkdfSync('sha256', master, 'python3-cluster/1', `${purpose}|${scope}`, 32));
      if (this.derived.size >= MAX_CACHED_KEYS) this.derived.clear();
      this.derived.set(name, key);
    }
    return key;
  }
}

/** Scopes come from records in Redis (node names), so the cache must not grow with what somebody writes there. */
const MAX_CACHED_KEYS = 10_000;

/** Public name of a master key; tells nothing about it. */
function keyIdOf(master: string): string {
  return createHash('sha256').update('python3-cluster/key-id\n').update(master).digest('hex').slice(0, 12);
}
