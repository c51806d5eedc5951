import type { Redis } from 'ioredis';
import type { Job, LossType, RedisKeys } from '@python3-cluster/shared';
import { LOCK_LOST } from './abort-reasons';
import { LOSS_MESSAGES } from './judge-run';
import type { TakenJob } from './take-job';

interface NoteTools {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly workerId: string;
}

/** For whoever tells what became of the job. Sent before its next take, and not waited for: Redis may be what is missing. */
export function noteLoss({ redis, keys, workerId }: NoteTools, { id, lane }: Job, { token }: TakenJob, type: LossType): void {
  void redis.noteLoss(keys.jobRecord(lane, id), token, type, LOSS_MESSAGES[type](workerId)).catch(() => undefined);
}

/** The like where a run was ended here; nothing where the node was told to stop. */
export function noteGivenUp(tools: NoteTools, job: Job, taken: TakenJob, { reason }: AbortSignal): void {
  if (reason === LOCK_LOST) noteLoss(tools, job, taken, 'LockLost');
}
