import type { Redis } from 'ioredis';
import { isWrongType } from '../redis-layout/script-guards';
import type { RedisKeys } from '../redis-layout/redis-keys';
import type { KeyRing } from './key-ring';
import { keyIdOfSeal, openSeal, seal, type SealContext } from './seal';

/**
 * The cluster's signing key, as far as Redis can tell it: a sealed text that the first process to start writes. Whoever cannot open
 * it has another key, and must neither take jobs nor accept any.
 *
 *   fits       opened with a key of this process
 *   foreign    sealed with a key that this process does not have
 *   absent     nothing there
 *   damaged    not a seal, or one of our own keys under which it does not verify: somebody has changed it
 */
export type ProbeReading =
  | { readonly state: 'fits' | 'foreign'; readonly keyId: string; readonly sealed: Buffer }
  | { readonly state: 'absent' | 'damaged'; readonly keyId: undefined; readonly sealed: Buffer | undefined };

export interface ProbeTools {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
}

const contextOf = (keys: RedisKeys): SealContext => ({ purpose: 'record', scope: 'signing-probe', subject: keys.signingProbe });

/** KEYS[1] probe; ARGV: what stands there ('' for nothing, or for what is no string), what is to. Answers 1 where it was written. */
const REPLACE_SCRIPT = `
local known = redis.pcall('GET', KEYS[1])
if type(known) == 'table' then known = false end
if (known or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
`;

/** @throws what Redis answers */
export async function readSigningProbe({ redis, keys, keyRing }: ProbeTools): Promise<ProbeReading> {
  const sealed = await redis.getBuffer(keys.signingProbe).catch((error: unknown) => {
    if (isWrongType(error)) return undefined;
    throw error;
  });
  if (sealed === undefined) return { state: 'damaged', keyId: undefined, sealed };
  if (sealed === null) return { state: 'absent', keyId: undefined, sealed: undefined };
  const keyId = keyIdOfSeal(sealed);
  if (keyId !== undefined && !keyRing.keyIds.includes(keyId)) return { state: 'foreign', keyId, sealed };
  if (keyId === undefined || openSeal(keyRing, contextOf(keys), sealed) === undefined)
    return { state: 'damaged', keyId: undefined, sealed };
  return { state: 'fits', keyId, sealed };
}

/** Puts a probe of this process's current key in place of what was read. Answers whether it did: not where another was quicker. */
export async function replaceSigningProbe({ redis, keys, keyRing }: ProbeTools, reading: ProbeReading): Promise<boolean> {
  const content = Buffer.from(JSON.stringify({ version: 1, writtenAt: Date.now() }));
  const done = await redis.eval(REPLACE_SCRIPT, 1, keys.signingProbe, reading.sealed ?? '', seal(keyRing, contextOf(keys), content));
  return done === 1;
}
