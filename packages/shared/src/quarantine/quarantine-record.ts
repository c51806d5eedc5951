import type { OutcomeStatus } from '../jobs/job-words';
import type { RedisKeys } from '../redis-layout/redis-keys';
import type { KeyRing } from '../signing/key-ring';
import { defineSealedRecord } from '../signing/sealed-record';
import { quarantineIdOf, type QuarantineKey } from './quarantine-key';

/** How a run can end that speaks against its program. */
export const BREACHES = ['timed_out', 'out_of_memory', 'cpu_exceeded', 'crashed'] as const satisfies readonly OutcomeStatus[];
export type BreachStatus = (typeof BREACHES)[number];

export const asBreach = (status: OutcomeStatus): BreachStatus | undefined => BREACHES.find((breach) => breach === status);

/** That a program is quarantined, or that it is no longer: of two records about one key the later one counts. */
export type QuarantineRecord = QuarantineEntry | QuarantineRelease;

interface RecordOfKey extends QuarantineKey {
  readonly version: 1;
  /** Digest of the key. */
  readonly id: string;
  /** Epoch milliseconds; later than that of the record it follows. */
  readonly at: number;
  /** Epoch milliseconds from which on one job may try the program. */
  readonly until: number;
}

export interface QuarantineEntry extends RecordOfKey {
  readonly state: 'quarantined';
  /** Breaches that led to it. */
  readonly breaches: number;
  /** How the last one ended. */
  readonly lastStatus: BreachStatus;
  readonly lastJobId: string;
  /** By what people know the program again: its first line, and the labels of that job. For admins and its owner only. */
  readonly firstLine?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Worker nodes that saw them, at most a few. */
  readonly workers: readonly string[];
}

export interface QuarantineRelease extends RecordOfKey {
  readonly state: 'released';
  /** Key id of the admin, or `trial`: a job tried the program and broke no limit. */
  readonly by: string;
}

/**
 * Both kinds grant authority: an entry keeps jobs from running, a release lets them. What has no valid MAC for this very
 * field of this very hash does not exist.
 */
const records = defineSealedRecord<QuarantineRecord>({ scope: 'quarantine', version: 1 });

const placeOf = (keys: RedisKeys, id: string): string => `${keys.quarantine} ${id}`;

export const sealQuarantine = (keyRing: KeyRing, keys: RedisKeys, record: QuarantineRecord): Buffer =>
  records.seal(keyRing, placeOf(keys, record.id), record);

export function openQuarantine(keyRing: KeyRing, keys: RedisKeys, id: string, sealed: Buffer): QuarantineRecord | undefined {
  const record = records.open(keyRing, placeOf(keys, id), sealed);
  return record?.id === id && quarantineIdOf(record) === id ? record : undefined;
}

/** After this it is forgotten: an entry whose program nobody has tried again, or a release that has outlived the entry. */
export const forgottenAt = ({ at, until }: QuarantineRecord): number => until + Math.max(60_000, until - at);
