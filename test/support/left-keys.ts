import type { Redis } from 'ioredis';

/** What a cluster that is idle has in Redis, after its namespace: records of what was, its figures, and what its processes renew. */
const STAYS = [
  /^\{[^}]+\}:(job|outcome):/,
  /^\{[^}]+\}:(outcomes:.*|outcome-expiry|owner-bytes)$/,
  /^\{[^}]+\}:(gone|program-notes)$/,
  /^\{[^}]+\}:(counts|minute:\d+|programs|callers|errors|(program|caller):.*|samples:.*)$/,
  /^\{[^}]+\}:queue:(id|meta|events|marker|stalled-check|pc)$/,
  /^\{~elected\}:/,
  /^\{~[^}]+\}:once(:.*)?$/,
  /^jobs(:.*)?$/,
  /^(lanes|housekeeper|workers|quarantine-version|alert-events|signing-probe)$/,
  /^(probe|sign-in):/,
];

/** Keys that jobs or a test left: entries of the queue, open jobs, cancellations, quarantine, what is of nobody. */
export async function listLeftKeys(redis: Redis, namespace: string): Promise<string[]> {
  const left: string[] = [];
  for await (const keys of redis.scanStream({ match: `${namespace}:*`, count: 1_000 }) as AsyncIterable<string[]>) {
    for (const key of keys) {
      const name = key.slice(namespace.length + 1);
      if (STAYS.some((pattern) => pattern.test(name))) continue;
      if (name.endsWith(':queued-bytes') && Number(await redis.get(key)) === 0) continue;
      left.push(`key ${name}`);
    }
  }
  return left;
}
