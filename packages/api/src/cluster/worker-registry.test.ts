import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createLogger, createRedisKeys, type WorkerHeartbeat } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { WorkerRegistry } from './worker-registry';

let entries: Record<string, string> | Error;
let removed: string[];
let registry: WorkerRegistry;

function beat(id: string, sequence: number, changes: Partial<WorkerHeartbeat> = {}): void {
  const heartbeat = {
    id, nodeName: id, pid: 1, version: '0', lanes: ['default'], level: 'D',
    isolation: { layers: { uid: false, namespaces: false, landlockAbi: 0, seccomp: false }, reasons: { uid: 'x', namespaces: 'x', landlock: 'x', seccomp: 'x' } },
    python: { version: '3', fullVersion: '3', executable: '/p' },
    pool: { size: 3, max: 3, inUse: 0, healthy: 3, waiting: 0 }, startedAt: 1, sequence, draining: false, ...changes,
  }; // prettier-ignore
  entries = { ...entries, [id]: JSON.stringify(heartbeat) };
}

const liveIds = (): string[] => registry.liveWorkers().map((worker) => worker.id);

async function passSeconds(seconds: number, eachSecond: () => void = () => undefined): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    jest.advanceTimersByTime(1_000);
    eachSecond();
    await registry.refresh();
  }
}

beforeEach(() => {
  jest.useFakeTimers();
  entries = {};
  removed = [];
  const redis = {
    hgetall: () => (entries instanceof Error ? Promise.reject(entries) : Promise.resolve(entries)),
    hdel: (_key: string, id: string) => Promise.resolve(removed.push(id)),
  };
  registry = new WorkerRegistry({ redis: redis as unknown as Redis, keys: createRedisKeys('t'), logger: createLogger('api', 'silent') });
});
afterEach(() => void jest.useRealTimers());

describe('the worker registry', () => {
  it('believes a worker node at first sight, and no longer than its heartbeat changes', async () => {
    beat('a', 7);
    await registry.refresh();
    expect(liveIds()).toEqual(['a']);
    await passSeconds(5);
    expect(liveIds()).toEqual(['a']);
    await passSeconds(1);
    expect(liveIds()).toEqual([]);
    beat('a', 8);
    await passSeconds(1);
    expect(liveIds()).toEqual(['a']);
  });

  it('removes entries that have not changed for a minute', async () => {
    beat('a', 1);
    await registry.refresh();
    await passSeconds(60);
    expect(removed).toEqual([]);
    await passSeconds(1);
    expect(removed).toEqual(['a']);
  });

  it('is stale when it cannot be read, and blames no worker node for that time', async () => {
    beat('a', 1);
    await registry.refresh();
    const written = entries;
    entries = new Error('Redis is away');
    await passSeconds(4);
    expect(registry.isFresh()).toBe(false);
    await passSeconds(4);
    entries = written;
    await passSeconds(1);
    expect([registry.isFresh(), liveIds()]).toEqual([true, ['a']]);
  });

  it('counts no draining worker node for its lane', async () => {
    beat('a', 1, { draining: true });
    await registry.refresh();
    expect([liveIds(), registry.servesLane('default')]).toEqual([['a'], false]);
    beat('b', 1, { lanes: ['vision'] });
    await registry.refresh();
    expect([registry.servesLane('vision'), registry.servesLane('default')]).toEqual([true, false]);
  });

  it('passes over entries it cannot read', async () => {
    entries = { x: 'nonsense', y: '{}', z: 'null' };
    beat('a', 1);
    await registry.refresh();
    expect(liveIds()).toEqual(['a']);
  });
});
