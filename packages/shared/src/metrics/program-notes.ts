import type { Redis, Result } from 'ioredis';
import type { RedisKeys } from '../redis-layout/redis-keys';
import { isWrongType } from '../redis-layout/script-guards';
import type { KeyRing } from '../signing/key-ring';
import { openSeal, seal, type SealContext } from '../signing/seal';

/**
 * By what people know a counted program again: its first line and its labels, as its owner sent them. They are code, so only
 * its owner and admins are shown them. One note of each program and owner, kept as long as the program is counted:
 *
 *   worker node ──writeProgramNote──▶ hash `program-notes` of the lane ──▶ API ──▶ `metrics/scripts`
 */
export interface ProgramNote {
  readonly version: 1;
  readonly program: string;
  readonly owner: string;
  /** '' where it has none, or is no code (`call`). */
  readonly firstLine: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly lastJobId: string;
  /** Epoch milliseconds. */
  readonly at: number;
}

const MOST_NOTES = 400;

/**
 * KEYS: notes, counted programs of the lane; ARGV: program, field, note. Answers 0 where the program is not counted: then nothing
 * is kept of it. Beyond the bound, notes of programs that are not counted any more go, and then any.
 */
const WRITE_SCRIPT = `
local function fits(key, kind)
  local found = redis.call('TYPE', key).ok
  return found == kind or found == 'none'
end
if not fits(KEYS[1], 'hash') or not fits(KEYS[2], 'zset') then return 0 end
if not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
if redis.call('HLEN', KEYS[1]) <= ${MOST_NOTES} then return 1 end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if not redis.call('ZSCORE', KEYS[2], string.match(field, '^([^\\n]*)')) then redis.call('HDEL', KEYS[1], field) end
end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if redis.call('HLEN', KEYS[1]) <= ${MOST_NOTES} then break end
  if field ~= ARGV[2] then redis.call('HDEL', KEYS[1], field) end
end
return 1
`;

declare module 'ioredis' {
  interface RedisCommander<Context> {
    writeProgramNote(notes: string, programs: string, program: string, field: string, note: Buffer): Result<number, Context>;
  }
}

export function defineProgramNotes(redis: Redis): Redis {
  redis.defineCommand('writeProgramNote', { numberOfKeys: 2, lua: WRITE_SCRIPT });
  return redis;
}

const fieldOf = ({ program, owner }: Pick<ProgramNote, 'program' | 'owner'>): string => `${program}\n${owner}`;
const contextOf = (key: string, field: string): SealContext => ({
  purpose: 'record',
  scope: 'program-note',
  subject: `${key} ${field.replace('\n', ' ')}`,
});

interface NoteTools {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
}

/** Whether it was kept. The connection must have been through `defineProgramNotes`. */
export async function writeProgramNote({ redis, keys, keyRing }: NoteTools, lane: string, note: ProgramNote): Promise<boolean> {
  const [key, field] = [keys.programNotes(lane), fieldOf(note)];
  const sealed = seal(keyRing, contextOf(key, field), Buffer.from(JSON.stringify(note)));
  return (await redis.writeProgramNote(key, keys.countedNames(lane, 'programs'), note.program, field, sealed)) === 1;
}

/** All of a lane that are ours. Rejects with what Redis answers. */
export async function readProgramNotes({ redis, keys, keyRing }: NoteTools, lane: string): Promise<ProgramNote[]> {
  const key = keys.programNotes(lane);
  const stored = await redis.hgetallBuffer(key).catch((error: unknown) => {
    if (isWrongType(error)) return {};
    throw error;
  });
  return Object.entries(stored).flatMap(([field, sealed]) => {
    const content = openSeal(keyRing, contextOf(key, field), sealed);
    const note = content && (JSON.parse(content.toString('utf8')) as ProgramNote);
    return note?.version === 1 && fieldOf(note) === field ? [note] : [];
  });
}
