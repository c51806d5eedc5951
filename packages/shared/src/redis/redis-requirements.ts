import type { Config } from '../config/option-table';

export type Durability = Config['durability'];

/** What one Redis server says of itself; undefined where it does not tell, or must not. */
export interface ServerFacts {
  readonly version: string | undefined;
  readonly maxmemoryPolicy: string | undefined;
  readonly appendonly: boolean | undefined;
  /** From CONFIG, which managed services and careful ACLs do not permit. */
  readonly appendfsync: string | undefined;
  readonly noAppendfsyncOnRewrite: boolean | undefined;
  readonly replicas: number | undefined;
  /** Of this host's clock from the server's. */
  readonly skewMs: number | undefined;
}

export interface Finding {
  readonly about: 'version' | 'eviction' | 'persistence' | 'replicas' | 'clock';
  /** `fail`: jobs are not accepted or taken on such a server. */
  readonly verdict: 'ok' | 'warn' | 'fail';
  /** What was found and, if it is not well, what to do. */
  readonly text: string;
}

/**
 * 6.2 is what BullMQ asks for; older ones also lack commands of ours (`SET … KEEPTTL`, 6.0). Valkey counts by the Redis
 * version it says it is compatible with.
 */
export const LEAST_REDIS_VERSION = '6.2.0';

/** Above this, signatures may look expired. */
const MOST_SKEW_MS = 5_000;

/** Judges what decides whether accepted jobs survive. */
export function judgeServer(facts: ServerFacts, durability: Durability): Finding[] {
  return [
    judgeVersion(facts),
    judgeEviction(facts),
    judgePersistence(facts, durability),
    ...judgeReplicas(facts, durability),
    judgeClock(facts),
  ];
}

function judgeVersion({ version }: ServerFacts): Finding {
  const about = 'version';
  if (version === undefined) return { about, verdict: 'warn', text: 'the version of Redis could not be read (INFO is not permitted)' };
  return isOlder(version, LEAST_REDIS_VERSION)
    ? { about, verdict: 'fail', text: `Redis ${version} is too old: use ${LEAST_REDIS_VERSION} or newer` }
    : { about, verdict: 'ok', text: `version ${version} answers` };
}

function isOlder(version: string, than: string): boolean {
  const [parts, bounds] = [version, than].map((text) => text.split('.').map(Number)) as [number[], number[]];
  const at = bounds.findIndex((bound, index) => (parts[index] ?? 0) !== bound);
  return at !== -1 && (parts[at] ?? 0) < (bounds[at] as number);
}

function judgeEviction({ maxmemoryPolicy }: ServerFacts): Finding {
  const about = 'eviction';
  if (maxmemoryPolicy === undefined)
    return { about, verdict: 'warn', text: 'maxmemory-policy could not be read (INFO is not permitted): make sure that it is noeviction' };
  return maxmemoryPolicy === 'noeviction'
    ? { about, verdict: 'ok', text: 'noeviction' }
    : { about, verdict: 'fail', text: `maxmemory-policy is ${maxmemoryPolicy}, so accepted jobs can vanish: set it to noeviction` };
}

function judgePersistence({ appendonly, appendfsync, noAppendfsyncOnRewrite }: ServerFacts, durability: Durability): Finding {
  const about = 'persistence';
  const wished = durability === 'disk' ? 'appendfsync always' : 'appendfsync everysec or always';
  if (appendonly === false) return judgeWithoutLog(durability);
  const problems = [
    ...(appendfsync !== undefined && !(durability === 'disk' ? ['always'] : ['always', 'everysec']).includes(appendfsync)
      ? [`appendfsync is ${appendfsync}, and PYTHON3_DURABILITY=${durability} needs ${wished}`]
      : []),
    ...(durability === 'disk' && noAppendfsyncOnRewrite === true
      ? ['no-appendfsync-on-rewrite is yes, so writes are not synced while the log is rewritten: set it to no']
      : []),
  ];
  if (problems.length > 0) return { about, verdict: 'fail', text: problems.join('; ') };
  if (appendonly === undefined || appendfsync === undefined)
    return {
      about,
      verdict: 'warn',
      text: `appendfsync could not be read (CONFIG is not permitted): make sure that Redis has appendonly yes and ${wished}`,
    };
  return { about, verdict: 'ok', text: `append-only file is on, appendfsync ${appendfsync}` };
}

/** With replicas a service may do without log, as long as it never lets an emptied primary come back as one. */
function judgeWithoutLog(durability: Durability): Finding {
  return durability === 'replica'
    ? {
        about: 'persistence',
        verdict: 'warn',
        text: 'appendonly is off: a primary that restarts before its replica is promoted loses every job; set appendonly yes',
      }
    : {
        about: 'persistence',
        verdict: 'fail',
        text: 'appendonly is off, so accepted jobs do not survive a restart of Redis: set appendonly yes',
      };
}

function judgeReplicas({ replicas }: ServerFacts, durability: Durability): Finding[] {
  if (durability !== 'replica') return [];
  return replicas === 0
    ? [
        {
          about: 'replicas',
          verdict: 'warn',
          text: 'no replica is connected: with PYTHON3_DURABILITY=replica no job is accepted until one is',
        },
      ]
    : [{ about: 'replicas', verdict: 'ok', text: `${replicas ?? 'an unknown number of'} connected` }];
}

function judgeClock({ skewMs }: ServerFacts): Finding {
  return skewMs === undefined || Math.abs(skewMs) < MOST_SKEW_MS
    ? { about: 'clock', verdict: 'ok', text: 'agrees with Redis' }
    : {
        about: 'clock',
        verdict: 'warn',
        text: `differs from Redis by ${Math.round(Math.abs(skewMs) / 1_000)} s, so signatures may look expired: set both hosts by NTP`,
      };
}
