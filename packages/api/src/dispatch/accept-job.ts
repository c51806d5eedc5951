import type { RedisQueueBackend } from 'bullmq';
import { addDelayedJob, addPrioritizedJob, addStandardJob } from 'bullmq/dist/cjs/scripts';
import { ACCEPT_SCRIPT, COUNT_ACCEPTED, type AcceptJobKeys, type AcceptJobValues } from '@python3-cluster/shared';
import type { Redis, Result } from 'ioredis';

const ACCEPT_KEYS = 3;
const ACCEPT_VALUES = 12;
const COUNTED_VALUE = 9;

/** BullMQ's text as it is, behind ours; its answer. Counted at last: what BullMQ's script refuses was not accepted. */
const withBullScript = (content: string): string => `
local isNew = (function(KEYS, ARGV)
${ACCEPT_SCRIPT}
end)({unpack(KEYS, 1, ${ACCEPT_KEYS})}, {unpack(ARGV, 1, ${ACCEPT_VALUES})})
local answer = (function(KEYS, ARGV)
${content}
end)({unpack(KEYS, ${ACCEPT_KEYS + 1})}, {unpack(ARGV, ${ACCEPT_VALUES + 1})})
local field = ARGV[${COUNTED_VALUE}]
if isNew then
${COUNT_ACCEPTED}
end
return answer
`;

const COMMANDS = {
  addStandardJob: 'acceptStandardJob',
  addDelayedJob: 'acceptDelayedJob',
  addPrioritizedJob: 'acceptPrioritizedJob',
} as const;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    acceptStandardJob(...args: readonly unknown[]): Result<unknown, Context>;
    acceptDelayedJob(...args: readonly unknown[]): Result<unknown, Context>;
    acceptPrioritizedJob(...args: readonly unknown[]): Result<unknown, Context>;
  }
}

/** Gives the connection what `acceptJob` needs. */
export function defineAcceptCommands(redis: Redis): void {
  for (const script of [addStandardJob, addDelayedJob, addPrioritizedJob]) {
    const name = COMMANDS[script.name as keyof typeof COMMANDS];
    redis.defineCommand(name, { numberOfKeys: ACCEPT_KEYS + script.keys, lua: withBullScript(script.content) });
  }
}

/** What becomes of a job in the queue, as far as BullMQ is concerned. Its times and states mean nothing (ADR 0008). */
export interface QueueEntryOptions {
  readonly name: string;
  /** JSON. */
  readonly data: string;
  readonly options: { readonly delay?: number; readonly priority?: number; readonly [name: string]: unknown };
}

export interface AcceptedJob {
  readonly keys: AcceptJobKeys;
  readonly values: AcceptJobValues;
  readonly id: string;
  readonly entry: QueueEntryOptions;
}

/**
 * Writes record and queue entry of a job in one atomic step and one command. BullMQ chooses its script and packs its
 * arguments, as it does for a caller's own transaction; the script that runs is ours followed by that one.
 */
export async function acceptJob(redis: Redis, backend: RedisQueueBackend, { keys, values, id, entry }: AcceptedJob): Promise<void> {
  const transaction = {
    runCommand: (name: string, args: readonly unknown[]): unknown => {
      const bullName = name.slice(0, name.indexOf(':')) as keyof typeof COMMANDS;
      const bullKeys = BULL_KEYS[bullName];
      return redis[COMMANDS[bullName]](...keys, ...args.slice(0, bullKeys), ...values, ...args.slice(bullKeys));
    },
  };
  const { name, data, options } = entry;
  type Transaction = Parameters<RedisQueueBackend['addJobToTransaction']>[0];
  type JobJson = Parameters<RedisQueueBackend['addJobToTransaction']>[1];
  const json = { name, data, opts: options, timestamp: values[4] } as unknown as JobJson;
  await backend.addJobToTransaction(transaction as unknown as Transaction, json, id);
}

const BULL_KEYS: Readonly<Record<keyof typeof COMMANDS, number>> = {
  addStandardJob: addStandardJob.keys,
  addDelayedJob: addDelayedJob.keys,
  addPrioritizedJob: addPrioritizedJob.keys,
};
