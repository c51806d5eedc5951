import type { OutcomeStatus, RunKind } from '../jobs/job-words';

/**
 * What an outcome is counted under. It is written by the script that writes the outcome, in the same atomic step, so that
 * the counts agree with the outcomes to the job, whatever goes down meanwhile.
 */
export interface Tally {
  readonly status: OutcomeStatus;
  /** `unknown` where the job's own record cannot be believed. */
  readonly kind: RunKind | 'unknown';
  /** The worker node that writes it. */
  readonly worker: string;
  /** What the job ran, if that has a name; see `programOf`. */
  readonly program?: string | undefined;
  readonly errorType?: string | undefined;
}

/** Names come from callers and their code. Others than these are counted together. */
const MOST_NAME_LENGTH = 128;
const NAME = /^[\p{L}\p{N}_.:/ -]+$/u;
export const OTHER_NAME = '(other)';

const toName = (name: string): string => (name.length <= MOST_NAME_LENGTH && NAME.test(name) ? name : OTHER_NAME);

/** As the scripts take it: five lines, the last two empty where there is nothing. */
export function formatTally({ status, kind, worker, program, errorType }: Tally): string {
  const optional = (name: string | undefined): string => (name === undefined || name === '' ? '' : toName(name));
  return [status, kind, worker, optional(program), optional(errorType)].join('\n');
}

/** What a `call` is counted under; code without a name is not counted by program. */
export const programOf = (moduleName: string, functionName: string): string => toName(`${moduleName}.${functionName}`);
