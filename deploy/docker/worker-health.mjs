// Health check of the worker image, which listens on no port. Exits 0 if jobs can reach the worker node of this container
// and be run there: its heartbeat in Redis grows while we watch, and its pool has a slot with its template up.
import { setTimeout as sleep } from 'node:timers/promises';
import { connectRedis, createRedisKeys, loadConfig, WORKER_GONE_MS } from '@python3-cluster/shared';

/** Several looks per heartbeat, so that the check takes little longer than one. */
const LOOK_MS = 250;

setTimeout(() => end('no Redis, or no growing heartbeat of this node in it'), WORKER_GONE_MS);
try {
  await watchHeartbeat();
  end();
} catch (error) {
  end(error.message);
}

async function watchHeartbeat() {
  const { config } = loadConfig(process.env);
  const redis = connectRedis(config, { profile: 'patient', name: 'python3-worker-health', onError: () => undefined });
  const { workers } = createRedisKeys(config.namespace);
  // A killed node's last heartbeat stays for a while, also one of this container before its restart: only growth counts.
  const first = new Map();
  for (;;) {
    const heartbeats = (await redis.hvals(workers)).map((text) => JSON.parse(text));
    for (const { id, nodeName, pid, sequence, pool } of heartbeats) {
      if (nodeName !== config.nodeName || !isAlive(pid)) continue;
      if (!first.has(id)) first.set(id, sequence);
      if (sequence === first.get(id)) continue;
      if (pool.healthy === 0) throw new Error('the node lives, but no slot is ready');
      return;
    }
    await sleep(LOOK_MS);
  }
}

/** The worker node is a process of this container, of the same user. */
function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function end(problem) {
  if (problem !== undefined) console.error(`unhealthy: ${problem}`);
  process.exit(problem === undefined ? 0 : 1);
}
