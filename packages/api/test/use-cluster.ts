import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { KeyRing } from '@python3-cluster/shared';
import { randomUUID } from 'node:crypto';
import { SIGNING_KEY, startApiUnderTest, type ApiUnderTest } from './api-under-test';
import { PlayedWorker, type Delivery, type Play } from './played-worker';
import { PrivateRedis } from './private-redis';

export const keyRing = new KeyRing(SIGNING_KEY);

export interface ClusterUnderTest extends ApiUnderTest {
  readonly namespace: string;
  readonly worker: PlayedWorker | undefined;
}

export interface ClusterOptions {
  /** No `play`: no worker node. */
  readonly play?: Play;
  readonly delivery?: Delivery;
  readonly environment?: Record<string, string>;
}

export interface ClusterTools {
  readonly redis: () => PrivateRedis;
  readonly startCluster: (options?: ClusterOptions) => Promise<ClusterUnderTest>;
  /** Runs at the end of the test, last first. */
  readonly stopLater: (stop: () => Promise<unknown>) => void;
}

/** A Redis server for the tests of a file, and clusters on it, each under a namespace of its own. */
export function useCluster(): ClusterTools {
  const stops: (() => Promise<unknown>)[] = [];
  let server: PrivateRedis;
  beforeAll(async () => {
    server = await PrivateRedis.start();
  });
  afterAll(() => server.stop());
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });
  return {
    redis: () => server,
    stopLater: (stop) => void stops.push(stop),
    startCluster: async ({ play, delivery, environment }: ClusterOptions = {}) => {
      const namespace = `t${randomUUID().slice(0, 8)}`;
      const worker = play && new PlayedWorker(server, keyRing, namespace, play, delivery);
      if (worker) stops.push(() => worker.stop());
      await worker?.beat();
      const started = await startApiUnderTest({ REDIS_URL: server.url, PYTHON3_NAMESPACE: namespace, ...environment });
      stops.push(() => started.api.stop());
      return { ...started, namespace, worker };
    },
  };
}

export const post = (body: string): { method: 'POST'; body: string } => ({ method: 'POST', body });
