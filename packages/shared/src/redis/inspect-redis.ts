import type { Redis } from 'ioredis';
import { mastersOf } from './connect-redis';
import { judgeServer, type Durability, type Finding, type ServerFacts } from './redis-requirements';

/**
 * Asks the server, or each node of a Cluster, and judges the answers; what is alike on several nodes is told once.
 * Rejects only where a server does not answer at all.
 */
export async function inspectRedis(redis: Redis, durability: Durability): Promise<Finding[]> {
  const servers = await Promise.all(mastersOf(redis).map(readFacts));
  const findings = new Map(servers.flatMap((facts) => judgeServer(facts, durability)).map((finding) => [finding.text, finding]));
  return [...findings.values()];
}

/** INFO tells most, and is mostly permitted; CONFIG alone tells when the log is synced. */
async function readFacts(redis: Redis): Promise<ServerFacts> {
  const [info = new Map<string, string>(), appendfsync, onRewrite, skewMs] = await Promise.all([
    unlessRefused(redis.info().then(parseInfo)),
    readSetting(redis, 'appendfsync'),
    readSetting(redis, 'no-appendfsync-on-rewrite'),
    unlessRefused(readSkew(redis)),
  ]);
  const appendonly = info.get('aof_enabled');
  const replicas = info.get('connected_slaves');
  return {
    version: info.get('redis_version'),
    maxmemoryPolicy: info.get('maxmemory_policy'),
    appendonly: appendonly === undefined ? undefined : appendonly === '1',
    appendfsync,
    noAppendfsyncOnRewrite: onRewrite === undefined ? undefined : onRewrite === 'yes',
    replicas: replicas === undefined ? undefined : Number(replicas),
    skewMs,
  };
}

async function readSetting(redis: Redis, name: string): Promise<string | undefined> {
  const answer = await unlessRefused<unknown>(redis.config('GET', name));
  return Array.isArray(answer) && typeof answer[1] === 'string' ? answer[1] : undefined;
}

/** From the middle of the question's way: the answer may have taken its time. */
async function readSkew(redis: Redis): Promise<number> {
  const askedAt = Date.now();
  const [seconds, microseconds] = await redis.time();
  return (askedAt + Date.now()) / 2 - (Number(seconds) * 1_000 + Number(microseconds) / 1_000);
}

/** A server that answers "no" (NOPERM, unknown command) has told that it does not tell. */
async function unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if ((error as Error).name === 'ReplyError') return undefined;
    throw error;
  }
}

function parseInfo(text: string): Map<string, string> {
  return new Map(text.split('\r\n').flatMap((line) => (line.includes(':') ? [line.split(':', 2) as [string, string]] : [])));
}
