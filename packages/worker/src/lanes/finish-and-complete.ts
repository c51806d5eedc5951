import type { RedisQueueBackend } from 'bullmq';
import { moveToActive, moveToFinished } from 'bullmq/dist/cjs/scripts';
import { FINISH_SCRIPT, type FinishJobArguments, type FinishVerdict } from '@python3-cluster/shared';
import type { Redis, Result } from 'ioredis';
import { untilStaged, type PreparedOutcome } from '../jobs/outcome-writer';
import { checkEntryFields } from './entry-fields';

/**
 * Ends a job in the record and in the queue, and fetches the next one, in one atomic step and one round trip:
 *
 *   finishJob (ours) ─▶ moveToFinished (BullMQ's, its text as it is) ─▶ [verdict, next job]
 *
 * Ours comes first: where Redis refuses it, or has lost what was staged, BullMQ's does not run either, and the job stays in the queue. Where it has been
 * written and BullMQ's breaks off (over what somebody has put into its keys), the entry is taken out by hand: a job that has
 * its outcome must not be handed out again. Keys of BullMQ's part by number: 2 active, 5 stalled, 12 the entry.
 */
const FINISH_KEYS = 6;
const FINISH_ARGUMENTS = 9;
const SCRIPT = `
local verdict = (function(KEYS, ARGV)
${FINISH_SCRIPT}
end)({unpack(KEYS, 1, ${FINISH_KEYS})}, {unpack(ARGV, 1, ${FINISH_ARGUMENTS})})
if verdict == 'unstaged' then return {verdict, 0} end
local queue = {unpack(KEYS, ${FINISH_KEYS + 1})}
local isMoved, moved = pcall(function(KEYS, ARGV)
${moveToFinished.content}
end, queue, {unpack(ARGV, ${FINISH_ARGUMENTS + 1})})
if isMoved then return {verdict, moved} end
redis.pcall('LREM', queue[2], 0, ARGV[${FINISH_ARGUMENTS + 1}])
redis.pcall('SREM', queue[5], ARGV[${FINISH_ARGUMENTS + 1}])
redis.pcall('UNLINK', queue[12], queue[12] .. ':lock')
return {verdict, 0, type(moved) == 'table' and moved.err or tostring(moved)}
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    finishAndComplete(...args: readonly unknown[]): Result<[verdict: FinishVerdict, moved: unknown, failure?: string], Context>;
  }
}

/** The outcome of a job that the queue is about to be told to complete. */
export interface DeliveredOutcome {
  readonly finish: FinishJobArguments;
  readonly stageAgain?: PreparedOutcome['stageAgain'];
  /** Told what became of it. */
  readonly onWritten: (verdict: FinishVerdict) => void;
  /** Redis refused: nothing is written, and the queue still has the job. What this throws, BullMQ is told instead. */
  readonly onRefused: (error: Error) => Promise<never>;
}

export interface CompletionHooks {
  readonly findOutcome: (jobId: string) => DeliveredOutcome | undefined;
  /** Told where an entry that was fetched had fields that are not BullMQ's; they are not acted upon. */
  readonly onForeignFields: (jobId: string, fields: readonly string[]) => void;
  /** Told where BullMQ could not complete a job in the queue that has its outcome. */
  readonly onForcedOut: (jobId: string, failure: string) => void;
}

/**
 * Has the backend of a BullMQ worker write an outcome that is there when it completes its job, and look at what it fetches
 * (`entry-fields.ts`).
 */
export function writeOutcomesOnCompletion(backend: RedisQueueBackend, redis: Redis, hooks: CompletionHooks): void {
  redis.defineCommand('finishAndComplete', { numberOfKeys: FINISH_KEYS + moveToFinished.keys, lua: SCRIPT });
  const execCommand = backend.execCommand.bind(backend);
  backend.execCommand = (client, name, args: unknown[]): unknown => {
    if (name !== moveToFinished.name && name !== moveToActive.name) return execCommand(client, name, args);
    const jobId = String(args[moveToFinished.keys]);
    const outcome = name === moveToFinished.name ? hooks.findOutcome(jobId) : undefined;
    const answer: unknown =
      outcome === undefined ? execCommand(client, name, args) : complete(redis, outcome, args, (why) => hooks.onForcedOut(jobId, why));
    return Promise.resolve(answer).then((fetched) => checkFetched(fetched, hooks));
  };
}

/** BullMQ's answer is a number, or [hash of the next entry or 0, its id, …]. */
function checkFetched(fetched: unknown, hooks: CompletionHooks): unknown {
  const [hash, ...rest] = (Array.isArray(fetched) ? fetched : []) as readonly unknown[];
  if (!Array.isArray(hash)) return fetched;
  const { fields, foreign } = checkEntryFields(hash as string[]);
  if (foreign.length > 0) hooks.onForeignFields(String(rest[0]), foreign);
  return [fields, ...rest];
}

async function complete(
  redis: Redis,
  { finish, stageAgain, onWritten, onRefused }: DeliveredOutcome,
  args: readonly unknown[],
  onForcedOut: (failure: string) => void,
): Promise<unknown> {
  const { keys } = moveToFinished;
  try {
    const values = [...finish.values, '', ''].slice(0, FINISH_ARGUMENTS);
    const write = (): Promise<[verdict: FinishVerdict, moved: unknown, failure?: string]> =>
      redis.finishAndComplete(...finish.keys, ...args.slice(0, keys), ...values, ...args.slice(keys));
    const [verdict, moved, failure] = await untilStaged(write, ([answered]) => answered, stageAgain);
    if (failure !== undefined) onForcedOut(failure);
    onWritten(verdict);
    return moved;
  } catch (error) {
    if ((error as Error).name === 'ReplyError') return onRefused(error as Error);
    throw error;
  }
}
