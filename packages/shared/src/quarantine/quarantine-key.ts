import { createHash } from 'node:crypto';

/** What is quarantined: a program, for one caller or for everyone, in one environment. */
export interface QuarantineKey {
  /** Whose jobs are meant; null: everyone's, which only a program that callers share can come to. */
  readonly owner: string | null;
  /** As `programIdOf` names it. */
  readonly program: string;
  readonly environment: string;
}

/** Jobs name no environment yet: all of them run with what the interpreter of the worker node has. */
export const BASE_ENVIRONMENT = 'base';

/** Names an entry in Redis, in the log and in paths; tells nothing about the program's text. */
export function quarantineIdOf({ owner, program, environment }: QuarantineKey): string {
  return createHash('sha256')
    .update(JSON.stringify([owner, program, environment]))
    .digest('hex')
    .slice(0, 32);
}

export const QUARANTINE_ID_PATTERN = /^[0-9a-f]{32}$/;
