import type { RunningReading } from './cluster-reading';

/** Ctrl-C and Ctrl-D: in raw mode they come as characters, not as signals. */
const END_KEYS = ['q', 'Q', '\u0003', '\u0004'];
const UP = ['k', '\u001b[A', '\u001bOA'];
const DOWN = ['j', '\u001b[B', '\u001bOB'];

export interface KeyState {
  readonly showsHelp: boolean;
  /** Id of the running job that is marked; it stays marked when others end before it. */
  readonly marked: string | undefined;
  /** Asked whether this job is to be cancelled. */
  readonly asked: RunningReading | undefined;
}

export type KeyEffect = { readonly do: 'end' } | { readonly do: 'cancel'; readonly job: RunningReading } | undefined;

export const NO_KEYS: KeyState = { showsHelp: false, marked: undefined, asked: undefined };

/**
 *   watching ──h──▶ help ──any key──▶ watching
 *   watching ──c──▶ asked ──y──▶ the job is cancelled; any other key: nothing is
 */
export function pressKey(state: KeyState, key: string, running: readonly RunningReading[]): { readonly state: KeyState; readonly effect?: KeyEffect } {
  if (END_KEYS.includes(key)) return { state, effect: { do: 'end' } };
  const watching = { ...state, asked: undefined, showsHelp: false };
  if (state.asked !== undefined) return key === 'y' || key === 'Y' ? { state: watching, effect: { do: 'cancel', job: state.asked } } : { state: watching };
  if (state.showsHelp) return { state: watching };
  if (key === 'h' || key === '?') return { state: { ...state, showsHelp: true } };
  if (UP.includes(key)) return { state: { ...state, marked: step(state.marked, running, -1) } };
  if (DOWN.includes(key)) return { state: { ...state, marked: step(state.marked, running, 1) } };
  const job = running.find(({ id }) => id === state.marked);
  return key === 'c' && job !== undefined ? { state: { ...state, asked: job } } : { state };
} // prettier-ignore

/** What came in one piece: escape sequences, and single characters. */
// eslint-disable-next-line no-control-regex -- that is what the keys send
export const splitKeys = (text: string): string[] => text.match(/\u001b[[O][A-Z]|[^]/gu) ?? [];

function step(marked: string | undefined, running: readonly RunningReading[], by: number): string | undefined {
  const at = running.findIndex(({ id }) => id === marked);
  const next = at < 0 ? 0 : Math.min(running.length - 1, Math.max(0, at + by));
  return running[next]?.id;
}
