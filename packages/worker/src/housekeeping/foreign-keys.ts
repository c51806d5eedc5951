import type { Redis, Result } from 'ioredis';
import { toSubject, type Logger, type RedisKeys } from '@python3-cluster/shared';
import type { Chore } from './housekeeper';

/**
 * Removes what stands under a name of ours and is not of the type we put there: it is nobody's data, and everything that
 * uses the name fails until it is gone.
 *
 * KEYS: keys of one hash tag; ARGV: for each what it should be: a type of Redis, `integer` (a string), or `counters` (a hash
 * of integers; other fields are removed from it). Answers [key, what was found, key, …].
 */
const MEND_SCRIPT = `
local mended = {}
local function note(key, found)
  mended[#mended + 1] = key
  mended[#mended + 1] = found
end
local function isInteger(text) return #text < 16 and string.match(text, '^-?%d+$') end
local TYPES = { integer = 'string', counters = 'hash' }
for index, key in ipairs(KEYS) do
  local found = redis.call('TYPE', key).ok
  local wanted = ARGV[index]
  if found ~= 'none' and found ~= (TYPES[wanted] or wanted) then
    redis.call('UNLINK', key)
    note(key, found)
  elseif wanted == 'integer' and found == 'string' and not isInteger(redis.call('GET', key)) then
    redis.call('UNLINK', key)
    note(key, 'no integer')
  elseif wanted == 'counters' and found == 'hash' then
    local fields = redis.call('HGETALL', key)
    for at = 1, #fields, 2 do
      if not isInteger(fields[at + 1]) then
        redis.call('HDEL', key, fields[at])
        note(key, 'no integer')
      end
    end
  end
end
return mended
`;

/**
 * Takes ids out of the queue's list of active jobs whose entry is no hash: fetched, they break the fetch off, and stay.
 * And counts that the queue adds to, and which are none, out of the entries.
 * KEYS[1] active; ARGV: prefix of entries, beginning of this lane's job ids. Answers as above.
 */
const MEND_ACTIVE_SCRIPT = `
local mended = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local entry = ARGV[1] .. id
  local found = redis.call('TYPE', entry).ok
  if found == 'hash' then
    for _, field in ipairs({'stc', 'ats', 'atm'}) do
      local value = redis.call('HGET', entry, field)
      if value and not string.match(value, '^%d+$') then
        redis.call('HDEL', entry, field)
        mended[#mended + 1] = id
        mended[#mended + 1] = 'no integer'
      end
    end
  elseif found ~= 'none' then
    redis.call('LREM', KEYS[1], 0, id)
    -- an id such as "wait" names a key of the queue's own
    if string.sub(id, 1, #ARGV[2]) == ARGV[2] then redis.call('UNLINK', entry, entry .. ':lock') end
    mended[#mended + 1] = id
    mended[#mended + 1] = found
  end
end
return mended
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    mendKeys(keyCount: number, ...keysAndTypes: readonly string[]): Result<string[], Context>;
    mendActive(active: string, entryPrefix: string, idPrefix: string): Result<string[], Context>;
  }
}

/** BullMQ's own keys of a lane. */
const QUEUE_TYPES: Readonly<Record<string, string>> = {
  wait: 'list', active: 'list', paused: 'list', prioritized: 'zset', delayed: 'zset', completed: 'zset', failed: 'zset',
  stalled: 'set', 'stalled-check': 'string', meta: 'hash', events: 'stream', marker: 'zset', pc: 'integer', id: 'integer', limiter: 'integer',
}; // prettier-ignore

/** Keys with a name in them, by how they begin after the lane's prefix. */
const NAMED_TYPES: readonly (readonly [prefix: string, type: string])[] = [
  ['minute:', 'counters'], ['program:', 'counters'], ['caller:', 'counters'], ['outcomes:', 'zset'],
]; // prettier-ignore

export interface ForeignKeysOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly logger: Logger;
}

/** At each pass over the keys that everything else depends on; over those with names in them where a script has met one. */
export class ForeignKeys implements Chore {
  readonly name = 'foreign keys';
  private readonly options: ForeignKeysOptions;

  constructor(options: ForeignKeysOptions) {
    this.options = options;
    options.redis.defineCommand('mendKeys', { lua: MEND_SCRIPT });
    options.redis.defineCommand('mendActive', { numberOfKeys: 1, lua: MEND_ACTIVE_SCRIPT });
  }

  async run(lanes: readonly string[]): Promise<void> {
    const { keys } = this.options;
    // One by one: in a Cluster they are of different slots.
    await Promise.all(sharedTypes(keys).map((entry) => this.mend('', [entry])));
    for (const lane of lanes) await this.mendLane(lane);
  }

  private async mendLane(lane: string): Promise<void> {
    const { redis, keys } = this.options;
    const prefix = keys.queuePrefix(lane);
    const types = laneTypes(keys, lane);
    await this.mend(lane, types);
    const active = keys.queueEntry(lane, 'active');
    this.tell(lane, await redis.mendActive(active, keys.queueEntry(lane, ''), `${lane}.`));
    const damaged = await redis.hkeys(keys.damaged(lane));
    if (damaged.length === 0) return;
    await this.mend(
      lane,
      damaged.flatMap((key) => typeOf(key, prefix, types)),
    );
    await redis.del(keys.damaged(lane));
  }

  private async mend(lane: string, entries: readonly (readonly [key: string, type: string])[]): Promise<void> {
    const names = entries.map(([key]) => key);
    if (names.length === 0) return;
    this.tell(lane, await this.options.redis.mendKeys(names.length, ...names, ...entries.map(([, type]) => type)));
  }

  private tell(lane: string, mended: readonly string[]): void {
    for (let at = 0; at < mended.length; at += 2) {
      const [key = '', found] = [mended[at], mended[at + 1]];
      this.options.logger.error(
        { event: 'security', errorCode: 'RECORD_UNVERIFIED', ...(lane === '' ? {} : { lane }), redisKey: toSubject(key.slice(-64)), found },
        'something that is not ours stood under a name of ours in Redis; removed',
      );
    }
  }
}

const laneTypes = (keys: RedisKeys, lane: string): [string, string][] => [
  ...Object.entries(QUEUE_TYPES).map(([name, type]): [string, string] => [keys.queueEntry(lane, name), type]),
  [keys.cancels(lane), 'zset'], [keys.openJobs(lane), 'zset'], [keys.outcomeExpiry(lane), 'zset'], [keys.outcomeBytes(lane), 'hash'],
  [keys.gone(lane), 'zset'], [keys.queuedBytes(lane), 'integer'], [keys.counts(lane), 'hash'], [keys.damaged(lane), 'hash'],
  [keys.queuedBytes(lane), 'integer'], [keys.counts(lane), 'hash'], [keys.damaged(lane), 'hash'], [keys.programNotes(lane), 'hash'],
  ...(['programs', 'callers', 'errors'] as const).map((family): [string, string] => [keys.countedNames(lane, family), 'zset']),
]; // prettier-ignore

const sharedTypes = (keys: RedisKeys): [string, string][] => [
  [keys.lanes, 'set'], [keys.workers, 'hash'], [keys.quarantine, 'hash'], [keys.quarantineVersion, 'integer'], [keys.elected, 'string'],
  [keys.figureHistory, 'zset'], [keys.alerts, 'hash'], [keys.alertHistory, 'list'], [keys.alertOutbox, 'list'], [keys.alertOutbox2, 'list'], [keys.alertOutbox3, 'list'], [keys.alertEvents, 'hash'],
  [keys.allJobs, 'zset'],
]; // prettier-ignore

/** What a key that a script could not use should be; nothing where it is no such key: names there are not believed. */
function typeOf(key: string, prefix: string, types: readonly (readonly [string, string])[]): [string, string][] {
  const type =
    types.find(([name]) => name === key)?.[1] ?? NAMED_TYPES.find(([beginning]) => key.startsWith(`${prefix}:${beginning}`))?.[1];
  if (type === undefined) return [];
  return [[key, key.endsWith(':counts') || key.endsWith(':owner-bytes') ? 'counters' : type]];
}
