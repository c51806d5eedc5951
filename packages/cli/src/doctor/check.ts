/** What one check of the machine found. */
export interface CheckResult {
  readonly name: string;
  readonly verdict: 'ok' | 'warn' | 'fail';
  /** One sentence: what was found and, if it is not well, what to do. */
  readonly text: string;
}

export const ok = (name: string, text: string): CheckResult => ({ name, verdict: 'ok', text });
export const warn = (name: string, text: string): CheckResult => ({ name, verdict: 'warn', text });
export const fail = (name: string, text: string): CheckResult => ({ name, verdict: 'fail', text });
