/** What a process did at most between two turns of its event loop. */
export interface Work {
  readonly bytes: number;
  /** What most of it was, call by call, for whoever looks for what held up the loop. */
  readonly largest: string;
  /** Synchronous ones. */
  readonly fileCalls: number;
  /** Where work on large content was done at once (`atOnce` of `turns.ts`). */
  readonly pausesSkipped: number;
}

export interface WorkWatch {
  /** For the `atOnce` of a module `turns`. */
  readonly watchTurns: (turns: object) => void;
  /** The most of each in one turn, since it was asked last. */
  readonly take: () => Work;
  readonly stop: () => void;
}

export function watchWork(): WorkWatch;
