/** What one check of the machine found. */
export interface CheckResult {
  readonly name: string;
  readonly verdict: 'ok' | 'warn' | 'fail';
  /** One sentence: what was found. */
  readonly text: string;
  /** What to do about it, where it is not well. */
  readonly remedy?: string;
}

export const ok = (name: string, text: string): CheckResult => ({ name, verdict: 'ok', text });
export const warn = (name: string, text: string, remedy: string): CheckResult => ({ name, verdict: 'warn', text, remedy });
export const fail = (name: string, text: string, remedy: string): CheckResult => ({ name, verdict: 'fail', text, remedy });
