import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startLoadClients } from '../load-clients.mjs';
import { stopProcess } from '../processes.mjs';
import { root } from '../root.mjs';

/** The queue alone: what anything on BullMQ can reach at most. */
export function createBullmq({ redis, database }) {
  let load;
  return {
    name: 'bullmq',
    title: 'BullMQ no-op (ceiling)',
    settings: 'add() and a no-op worker with concurrency 16 in one Node process, answered by its completed event',
    async prepare() {
      const env = { BENCH_REDIS_PORT: String(redis.port), BENCH_REDIS_DATABASE: String(database) };
      load = startLoadClients({ name: 'BullMQ', count: 1, file: process.execPath, args: [join(root, 'bench/load/bullmq-load.mjs')], env });
      return { version: JSON.parse(readFileSync(join(root, 'node_modules/bullmq/package.json'), 'utf8')).version };
    },
    run: (request) => load.run(request),
    processes: () => load.pids.map((pid) => ({ role: 'queue and worker', pid })),
    stop: () => Promise.all((load?.processes ?? []).map(stopProcess)),
  };
}
