import type { Redis } from 'ioredis';
import { keyIdOfSeal, type KeyRing, type Logger, type RedisKeys, type SigningWatch } from '@python3-cluster/shared';

export interface HandBackTools {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly signing: Pick<SigningWatch, 'now'>;
  readonly config: { readonly jobValiditySeconds: number };
  readonly logger: Logger;
}

interface Received {
  readonly lane: string;
  readonly jobId: string;
}

/** Pause before the job may be fetched again, by any node: doubled each time. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
const MARGIN_MS = 60_000;

/**
 * When a job that does not verify here may be tried again by another node; undefined where it is to be rejected.
 *
 * It is this node's fault, not the job's, where the job names a key that this node has not got *and* this node cannot open the
 * cluster's probe either. A node that can open it rejects such a job at once: nobody in the cluster has signed it. Both may be
 * forged by somebody with Redis, so no job is handed back for longer than an accepted one is believed.
 */
export async function handBack(tools: HandBackTools, { lane, jobId }: Received, sealed: Buffer): Promise<number | undefined> {
  const { keyRing, signing, config, logger } = tools;
  const keyId = keyIdOfSeal(sealed);
  if (keyId === undefined || keyRing.keyIds.includes(keyId)) return undefined;
  if ((await signing.now()) !== 'foreign') return undefined;
  const mostMs = config.jobValiditySeconds * 1_000;
  const { times, sinceMs } = await count(tools, lane, jobId, mostMs + MARGIN_MS);
  if (sinceMs > mostMs) return undefined;
  const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (times - 1));
  logger.warn({ errorCode: 'SIGNING_KEY_MISMATCH', jobId, lane, keyId, times }, 'this node has not got the key of a job; another node may take it');
  return Date.now() + pauseMs;
} // prettier-ignore

/** How often the job was handed back, by any node, and for how long. What is no count of ours is begun anew. */
async function count({ redis, keys }: HandBackTools, lane: string, jobId: string, keptMs: number): Promise<{ times: number; sinceMs: number }> {
  const key = keys.handedBack(lane, jobId);
  const answers = await redis.multi().hincrby(key, 'times', 1).hsetnx(key, 'since', Date.now()).hget(key, 'since').pexpire(key, keptMs).exec();
  const [times, since] = [Number(answers?.[0]?.[1]), Number(answers?.[2]?.[1])];
  if (times >= 1 && since > 0) return { times, sinceMs: Date.now() - since };
  await redis.unlink(key);
  return { times: 1, sinceMs: 0 };
} // prettier-ignore
