/**
 * What BullMQ is told about a queue entry that it has fetched. The entry is a hash that nothing seals, and BullMQ acts upon
 * many of its fields: one makes it fail the job, others give it another id, a parent, a schedule, options of its own. None
 * of that is used here, so of what stands there only these are passed on.
 */
const TEXTS: ReadonlySet<string> = new Set(['name', 'data']);
const COUNTS: ReadonlySet<string> = new Set(['timestamp', 'delay', 'priority', 'processedOn', 'ats', 'atm', 'stc']);
/** BullMQ writes these as well; nobody here asks for them. */
const PASSED_OVER: ReadonlySet<string> = new Set([
  'opts', 'pb', 'defa', 'failedReason', 'stacktrace', 'returnvalue', 'finishedOn', 'progress', 'attemptsMade',
]); // prettier-ignore

export interface CheckedEntry {
  /** Field and value in turn, as Redis gives a hash. */
  readonly fields: string[];
  /** Names of fields that neither BullMQ nor we have written like this. */
  readonly foreign: string[];
}

export function checkEntryFields(hash: readonly string[]): CheckedEntry {
  const fields: string[] = [];
  const foreign: string[] = [];
  for (let at = 0; at + 1 < hash.length; at += 2) {
    const [name = '', value = ''] = [hash[at], hash[at + 1]];
    if (TEXTS.has(name) || (COUNTS.has(name) && /^\d{1,16}$/.test(value))) fields.push(name, value);
    else if (!PASSED_OVER.has(name)) foreign.push(name);
  }
  return { fields, foreign };
}
