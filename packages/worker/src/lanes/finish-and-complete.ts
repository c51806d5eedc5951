import type { RedisQueueBackend } from 'bullmq';
import { moveToFinished } from 'bullmq/dist/cjs/scripts';
import { FINISH_SCRIPT, type FinishJobArguments, type FinishVerdict } from '@python3-cluster/shared';
import type { Redis, Result } from 'ioredis';

/**
 * Ends a job in the record and in the queue, and fetches the next one, in one atomic step and one round trip:
 *
 *   finishJob (ours) ─▶ moveToFinished (BullMQ's, its text as it is) ─▶ [verdict, next job]
 *
 * Ours comes first: where Redis refuses it, BullMQ's does not run either, and the job stays in the queue.
 */
const FINISH_KEYS = 6;
const FINISH_ARGUMENTS = 7;
const SCRIPT = `
local verdict = (function(KEYS, ARGV)
${FINISH_SCRIPT}
end)({unpack(KEYS, 1, ${FINISH_KEYS})}, {unpack(ARGV, 1, ${FINISH_ARGUMENTS})})
local moved = (function(KEYS, ARGV)
${moveToFinished.content}
end)({unpack(KEYS, ${FINISH_KEYS + 1})}, {unpack(ARGV, ${FINISH_ARGUMENTS + 1})})
return {verdict, moved}
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    finishAndComplete(...args: readonly unknown[]): Result<[FinishVerdict, unknown], Context>;
  }
}

/** The outcome of a job that the queue is about to be told to complete. */
export interface DeliveredOutcome {
  readonly finish: FinishJobArguments;
  /** Told what became of it. */
  readonly onWritten: (verdict: FinishVerdict) => void;
  /** Redis refused: nothing is written, and the queue still has the job. What this throws, BullMQ is told instead. */
  readonly onRefused: (error: Error) => Promise<never>;
}

type Finder = (jobId: string) => DeliveredOutcome | undefined;

/** Has the backend of a BullMQ worker write an outcome that is there when it completes its job. */
export function writeOutcomesOnCompletion(backend: RedisQueueBackend, redis: Redis, findOutcome: Finder): void {
  redis.defineCommand('finishAndComplete', { numberOfKeys: FINISH_KEYS + moveToFinished.keys, lua: SCRIPT });
  const execCommand = backend.execCommand.bind(backend);
  backend.execCommand = (client, name, args: unknown[]): unknown => {
    const outcome = name === moveToFinished.name ? findOutcome(String(args[moveToFinished.keys])) : undefined;
    return outcome === undefined ? execCommand(client, name, args) : complete(redis, outcome, args);
  };
}

async function complete(redis: Redis, { finish, onWritten, onRefused }: DeliveredOutcome, args: readonly unknown[]): Promise<unknown> {
  const { keys } = moveToFinished;
  try {
    const [verdict, moved] = await redis.finishAndComplete(...finish.keys, ...args.slice(0, keys), ...finish.values, ...args.slice(keys));
    onWritten(verdict);
    return moved;
  } catch (error) {
    if ((error as Error).name === 'ReplyError') return onRefused(error as Error);
    throw error;
  }
}
