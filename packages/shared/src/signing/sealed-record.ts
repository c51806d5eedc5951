import type { KeyRing } from './key-ring';
import { openSeal, seal } from './seal';

/** A small record in Redis that only this cluster can write, as JSON. */
export interface SealedRecord<T extends { readonly version: number }> {
  /** @param place the Redis key or channel, with the hash's field where there is one: a record can't be moved */
  readonly seal: (keyRing: KeyRing, place: string, record: T) => Buffer;
  /** The record, if it was sealed for this very place and is of a version known here; else undefined. */
  readonly open: (keyRing: KeyRing, place: string, sealed: Buffer) => T | undefined;
}

export interface SealedRecordOptions<T extends { readonly version: number }> {
  /** Names the kind; one kind is never taken for another. */
  readonly scope: string;
  readonly version: T['version'];
}

/** Defines a kind of sealed record. */
export function defineSealedRecord<T extends { readonly version: number }>(options: SealedRecordOptions<T>): SealedRecord<T> {
  const { scope, version } = options;
  const contextOf = (place: string) => ({ purpose: 'record', scope, subject: place }) as const;
  return {
    seal: (keyRing, place, record) => seal(keyRing, contextOf(place), Buffer.from(JSON.stringify(record))),
    open: (keyRing, place, sealed) => {
      const content = openSeal(keyRing, contextOf(place), sealed);
      if (content === undefined) return undefined;
      const record = JSON.parse(content.toString('utf8')) as T;
      return record.version === version ? record : undefined;
    },
  };
}
