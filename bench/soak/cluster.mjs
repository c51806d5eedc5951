// One API replica and one worker node as they are deployed, over a Redis of their own, each telling how late its loop is.
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { findFreePort } from '../private-redis.mjs';
import { startProcess, waitUntil } from '../processes.mjs';
import { root } from '../root.mjs';

const COMMAND = join(root, 'packages/cli/bin/python3-cluster.js');
const SAMPLER = join(root, 'bench/soak/loop-delay.cjs');
const READY_WITHIN_MS = 60_000;

/** Outcomes are kept for as short as can be asked for, so that what Redis holds settles. */
export const RESULT_TTL_SECONDS = 60;

export async function startCluster(redis, directory) {
  const port = await findFreePort();
  const key = randomBytes(32).toString('hex');
  const loopDirectory = join(directory, 'loops');
  mkdirSync(loopDirectory);
  const env = {
    REDIS_URL: redis.urlOf(0),
    PORT: String(port),
    PYTHON3_SIGNING_KEY: randomBytes(32).toString('hex'),
    PYTHON3_DEVELOPER_APIKEY: key,
    PYTHON3_RESULT_TTL_SECONDS: String(RESULT_TTL_SECONDS),
    PYTHON3_JOB_VALIDITY_SECONDS: String(RESULT_TTL_SECONDS),
    PYTHON3_IDEMPOTENCY_TTL_SECONDS: String(RESULT_TTL_SECONDS),
    PYTHON3_RUN_DIRECTORY: join(directory, 'run'),
    PYTHON3_LOG_LEVEL: 'warn',
    NODE_ENV: 'production',
    NODE_OPTIONS: `--require=${SAMPLER}`,
    LOOP_DELAY_DIRECTORY: loopDirectory,
  };
  const [api, worker] = ['api', 'worker'].map((role) =>
    startProcess({ name: role, stage: 'contestant', file: process.execPath, args: [COMMAND, role], env, cwd: root }),
  );
  const url = `http://127.0.0.1:${port}`;
  const isReady = async () => {
    const answer = await fetch(`${url}/health`).then((response) => response.json()).catch(() => undefined);
    return answer?.status === 'ok';
  }; // prettier-ignore
  await waitUntil(isReady, { within: READY_WITHIN_MS, what: 'the cluster is ready', processes: [api, worker] });
  return { url, port, key, api, worker, loopDirectory };
}
