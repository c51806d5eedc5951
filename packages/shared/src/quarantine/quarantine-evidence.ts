import { randomBytes } from 'node:crypto';
import type { RedisKeys } from '../redis/redis-keys';
import type { KeyRing } from '../signing/key-ring';
import { openSeal, seal, type SealContext } from '../signing/seal';
import type { QuarantineKey } from './quarantine-key';
import type { BreachStatus } from './quarantine-record';

/**
 * How a run of a program ended, as one worker node tells the others. Sealed: else anybody in Redis could have programs
 * quarantined. Runs without a breach are told only of programs that had one, and together for about a second.
 */
export interface QuarantineEvidence extends QuarantineKey {
  readonly version: 1;
  /** Each is counted once, however often it is sent; of a breach the id of its job. */
  readonly id: string;
  readonly owner: string;
  readonly worker: string;
  /** Epoch milliseconds. */
  readonly at: number;
  /** null: runs that broke nothing. */
  readonly breach: BreachEvidence | null;
  /** Runs. */
  readonly count: number;
}

export interface BreachEvidence {
  readonly status: BreachStatus;
  readonly jobId: string;
  /** By what people know the program again; absent from older versions. */
  readonly firstLine?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

const contextOf = (keys: RedisKeys): SealContext => ({ purpose: 'record', scope: 'quarantine-evidence', subject: keys.quarantineChannel });

export const sealEvidence = (keyRing: KeyRing, keys: RedisKeys, evidence: QuarantineEvidence): Buffer =>
  seal(keyRing, contextOf(keys), Buffer.from(JSON.stringify(evidence)));

export function openEvidence(keyRing: KeyRing, keys: RedisKeys, sealed: Buffer): QuarantineEvidence | undefined {
  const content = openSeal(keyRing, contextOf(keys), sealed);
  if (content === undefined) return undefined;
  const evidence = JSON.parse(content.toString('utf8')) as QuarantineEvidence;
  return evidence.version === 1 ? evidence : undefined;
}

export const createEvidenceId = (): string => randomBytes(12).toString('base64url');
