import { randomBytes } from 'node:crypto';
import type { RedisKeys } from '../redis-layout/redis-keys';
import type { KeyRing } from '../signing/key-ring';
import { defineSealedRecord } from '../signing/sealed-record';
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

const records = defineSealedRecord<QuarantineEvidence>({ scope: 'quarantine-evidence', version: 1 });

export interface BreachEvidence {
  readonly status: BreachStatus;
  readonly jobId: string;
  /** By what people know the program again; absent from older versions. */
  readonly firstLine?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export const sealEvidence = (keyRing: KeyRing, keys: RedisKeys, evidence: QuarantineEvidence): Buffer =>
  records.seal(keyRing, keys.quarantineChannel, evidence);

export const openEvidence = (keyRing: KeyRing, keys: RedisKeys, sealed: Buffer): QuarantineEvidence | undefined =>
  records.open(keyRing, keys.quarantineChannel, sealed);

export const createEvidenceId = (): string => randomBytes(12).toString('base64url');
