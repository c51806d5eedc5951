/**
 * Work on large content is cut into pieces, so that the event loop comes round in between: locks are renewed on it, and
 * callers answered. Such work is written once, as a generator that yields where it may pause; small content has no pauses.
 */
export type Steps<T> = Generator<void, T, void>;

/** Bytes between two pauses: some milliseconds of scanning where tokens are short, far less of hashing. */
export const TURN_BYTES = 262_144;

/** All at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** A turn of the event loop at each pause. */
export async function inTurns<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
