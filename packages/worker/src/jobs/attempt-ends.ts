import { MAX_ATTEMPT_MESSAGE, type Attempt, type AttemptError, type OutcomeError } from '@python3-cluster/shared';
import type { Verdict } from './judge-run';

/**
 * The attempts with the end of the last one. Its own, if its run ended here; else its node or template went down under it,
 * and nobody knows more.
 */
export function endAttempts(attempts: readonly Attempt[], ended: Verdict | undefined, finishedAt: number): readonly Attempt[] {
  const last = attempts.at(-1);
  if (last === undefined || last.status !== undefined) return attempts;
  const end: Partial<Attempt> = ended ? { status: ended.status, error: toAttemptError(ended.error), finishedAt } : { status: 'lost' };
  return [...attempts.slice(0, -1), { ...last, ...end }];
}

/** Cut, and without halves of surrogate pairs: Redis' JSON refuses them, and user code writes what it likes. */
export function toAttemptError(error: OutcomeError | null): AttemptError | null {
  if (error === null) return null;
  const clean = (text: string): string => Buffer.from(text.slice(0, MAX_ATTEMPT_MESSAGE), 'utf8').toString('utf8');
  return { type: clean(error.type), message: clean(error.message) };
}
