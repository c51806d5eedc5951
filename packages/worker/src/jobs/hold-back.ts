import { setTimeout as pause } from 'node:timers/promises';
import { endedBy, isGivenUp } from './abort-reasons';
import type { Processed } from './processed';

/**
 * The longest a job that came too early is held here before it goes back. Clocks of hosts differ a little: without this, one
 * node would promote a job and the other put it back, many times a second.
 */
export const EARLY_HOLD_MS = 250;

/** Goes back to wait for its time. One that is being cancelled meanwhile is settled as any that nobody runs. */
export async function holdBack(leftMs: number, signal: AbortSignal): Promise<Processed> {
  const notBefore = Date.now() + leftMs;
  await pause(Math.min(leftMs, EARLY_HOLD_MS), undefined, { signal }).catch(() => undefined);
  return isGivenUp(signal) ? endedBy(signal) : { kind: 'later', notBefore };
}
