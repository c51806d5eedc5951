import { TRY_COMMAND } from '../redis-layout/script-guards';

/**
 * The counters of one lane, all under its hash tag, so that they are written by the scripts that accept and finish its jobs:
 *
 *   counts          hash: since the store began      accepted · withdrawn · jobs:<kind>:<status> · samples
 *   minute:<m>      hash: minute m of Redis' clock   accepted · jobs:<kind>:<status>:<worker> · samples     120 minutes
 *   programs        sorted set: named programs by how often they ran, the most frequent 200
 *   program:<name>  hash: one of them                jobs:<kind>:<status> · error:<type> · samples
 *   callers, caller:<owner>                          the same of owners
 *   errors          sorted set: error types by how often they came, the most frequent 200
 *
 * Samples (`add-samples.ts`) follow within a second: <measure>:<bucket> · <measure>:sum · <measure>:min · <measure>:max.
 *
 * Callers choose names, so every set of names is bounded: a new name beyond the bound makes the rarest one go. Who floods
 * the set with names pushes out what ran once or twice, never what runs often; the totals count everything all the same.
 */
export const MINUTES_KEPT = 120;
const MOST_NAMES = 200;
/** Error types of one program or caller, with its other fields. */
const MOST_FIELDS = 150;

const KEEP_MS = MINUTES_KEPT * 60_000;

/** Syntax checks are work of the editor, no jobs: counted for themselves. */
export const acceptedField = (kind: string): string => (kind === 'check' ? 'accepted-checks' : 'accepted');
export const withdrawnField = (kind: string): string => (kind === 'check' ? 'withdrawn-checks' : 'withdrawn');

/**
 * Part of the script that finishes a job. Expects there: `try` (`script-guards.ts`), `lane`, `owner`, `now` (epoch ms), `tally`.
 * What a tally is not, is not counted: test fixtures, and outcomes of versions to come.
 */
export const COUNT_OUTCOME = `
local status, kind, worker, program, errorType = string.match(tally or '', '^([^\\n]+)\\n([^\\n]+)\\n([^\\n]+)\\n([^\\n]*)\\n([^\\n]*)$')
if status then
  local jobs = 'jobs:' .. kind .. ':' .. status
  try(lane, 'HINCRBY', lane .. ':counts', jobs, 1)
  if kind ~= 'check' then
    local minute = string.format('%s:minute:%d', lane, math.floor(now / 60000))
    if try(lane, 'HINCRBY', minute, jobs .. ':' .. worker, 1) == 1 then redis.call('PEXPIRE', minute, ${KEEP_MS}) end
    local function countUnder(family, member, name)
      local key = lane .. ':' .. member .. ':' .. name
      try(lane, 'HINCRBY', key, jobs, 1)
      if errorType ~= '' then
        local field = 'error:' .. errorType
        if try(lane, 'HINCRBY', key, field, 1) == 1 and redis.call('HLEN', key) > ${MOST_FIELDS} then
          redis.call('HDEL', key, field)
          try(lane, 'HINCRBY', key, 'error:(other)', 1)
        end
      end
      local names = lane .. ':' .. family
      if try(lane, 'ZINCRBY', names, 1, name) == '1' and redis.call('ZCARD', names) > ${MOST_NAMES} then
        redis.call('DEL', lane .. ':' .. member .. ':' .. redis.call('ZPOPMIN', names)[1])
      end
    end
    if owner and owner ~= '' then countUnder('callers', 'caller', owner) end
    if program ~= '' then countUnder('programs', 'program', program) end
    if errorType ~= '' then
      local names = lane .. ':errors'
      if try(lane, 'ZINCRBY', names, 1, errorType) == '1' and redis.call('ZCARD', names) > ${MOST_NAMES} then
        redis.call('ZPOPMIN', names)
      end
    end
  end
end
`;

/** Part of the script that accepts a job. Expects there: KEYS[1] the record, `field`: see `acceptedField`. */
export const COUNT_ACCEPTED = `
${TRY_COMMAND}
local lane = string.match(KEYS[1], '^(.*}):job:')
try(lane, 'HINCRBY', lane .. ':counts', field, 1)
if field == 'accepted' then
  local minute = string.format('%s:minute:%d', lane, math.floor(redis.call('TIME')[1] / 60))
  if try(lane, 'HINCRBY', minute, field, 1) == 1 then redis.call('PEXPIRE', minute, ${KEEP_MS}) end
end
`;
