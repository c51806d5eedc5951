import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startLoadClients } from '../load-clients.mjs';
import { findFreePort } from '../private-redis.mjs';
import { startProcess, stopProcess, waitUntil } from '../processes.mjs';
import { rememberRun } from '../profile.mjs';
import { CannotTakePart, DEBIAN_PYTHON } from '../requirements.mjs';
import { root } from '../root.mjs';
import { calibrateWork, WORK_MS, workEnvironment } from '../work.mjs';

const commandLine = join(root, 'packages/cli/bin/python3-cluster.js');
const READY_WITHIN_MS = 30_000;

/**
 * The product as it is deployed: one API process, one worker node, everything on, called over HTTP. Every job's code differs,
 * so each runs in a process of its own (isolation `fresh`).
 */
export const createOurs = (options) => createProduct(options, { name: 'ours', title: 'python3-cluster fresh' });

/** The same with one program called with other variables each time, in processes that are kept for it. */
export const createWarm = (options) => createProduct(options, { name: 'warm', title: 'python3-cluster warm', isolation: 'warm' });

/** Both with traces, of which 1 % are sampled, as the targets assume; a process of its own takes them. */
export const createTraced = (options) => createProduct(options, { name: 'traced', title: 'fresh, traces at 1 %', isTraced: true });

export const createWarmTraced = (options) =>
  createProduct(options, { name: 'warm-traced', title: 'warm, traces at 1 %', isolation: 'warm', isTraced: true });

/** A job that keeps a core busy for 100 ms: how much we add to it. With one caller, and with as many as there are cores. */
export const createWork = (options) => createProduct(options, { name: 'work', title: `${WORK_MS} ms job, fresh`, isWork: true });

export const createWarmWork = (options) =>
  createProduct(options, { name: 'warm-work', title: `${WORK_MS} ms job, warm`, isolation: 'warm', isWork: true });

function createProduct(
  { redis, database, cores, slots, profileDirectory },
  { name, title, isolation = 'fresh', isWork = false, isTraced = false },
) {
  const servers = [];
  let load;
  let sink;
  return {
    name,
    title,
    settings: `API + 1 worker node, ${slots} slots, sync HTTP/1.1 keep-alive, 1 Node client process`,
    cores,
    ...(isWork ? { callers: [...new Set([1, cores])] } : {}),
    async prepare() {
      if (isWork) calibrateWork();
      if (!existsSync(join(root, 'packages/cli/dist/main.js'))) throw new CannotTakePart('it is not built yet: run `npm run build`.');
      const port = await findFreePort();
      const key = newKey();
      if (isTraced) sink = await startSink();
      const env = {
        REDIS_URL: redis.urlOf(database),
        PORT: String(port),
        PYTHON3_SIGNING_KEY: newKey(),
        PYTHON3_DEVELOPER_APIKEY: key,
        PYTHON3_ADMIN_APIKEY: newKey(),
        PYTHON3_POOL_MAX: String(slots),
        PYTHON3_LOG_LEVEL: 'warn',
        // The peers' interpreter, where there is one; else the one the worker node finds.
        ...(existsSync(DEBIAN_PYTHON) ? { PYTHON3_PATH: DEBIAN_PYTHON } : {}),
        NODE_ENV: 'production',
        ...(isTraced ? tracingSettings(sink.port) : {}),
      };
      for (const role of ['api', 'worker']) {
        servers.push(
          startProcess({
            name: `python3-cluster ${role}`,
            stage: 'contestant',
            file: process.execPath,
            args: [...profilerArguments(profileDirectory, `${name}-${role}`), commandLine, role],
            env,
            cwd: root,
          }),
        );
      }
      const url = `http://127.0.0.1:${port}`;
      const within = { within: READY_WITHIN_MS, processes: servers };
      await waitUntil(() => isOk(`${url}/health/ready`), { ...within, what: 'GET /health/ready answers 200' });
      let answer;
      const hasAnswered = async () => (answer = await execute(url, key, 'result = 20 + 22'))?.result === 42;
      await waitUntil(hasAnswered, { ...within, what: 'a first job is answered' });
      const level = await readIsolationLevel(url, key, answer.jobId);
      load = startLoadClients({
        name: 'HTTP',
        count: 1,
        file: process.execPath,
        args: [join(root, 'bench/load/http-load.mjs')],
        env: { BENCH_PORT: String(port), BENCH_KEY: key, BENCH_ISOLATION: isolation, ...(isWork ? workEnvironment() : {}) },
      });
      return { version: JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version, level };
    },
    ...(profileDirectory === undefined ? { run: (request) => load.run(request) } : rememberRun((request) => load.run(request), redis)),
    processes: () => [
      { role: 'API', pid: servers[0].pid },
      { role: 'worker', pid: servers[1].pid, lasting: 'templates', passing: 'job processes' },
      { role: 'client', pid: load.pids[0] },
    ],
    stop: () => Promise.all([...(load?.processes ?? []), ...servers, ...(sink ? [sink.process] : [])].map(stopProcess)),
  };
}

/** Metrics are on for all; pushing them as well is not part of the question. */
const tracingSettings = (port) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
  OTEL_METRICS_EXPORTER: 'none',
  OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
  OTEL_TRACES_SAMPLER_ARG: '0.01',
});

async function startSink() {
  let port;
  const sink = startProcess({
    name: 'OTLP sink',
    stage: 'contestant',
    file: process.execPath,
    args: [join(root, 'bench/load/otlp-sink.mjs')],
    cwd: root,
    onLine: (line) => (port ??= Number(line)),
  });
  await waitUntil(() => port !== undefined, { within: READY_WITHIN_MS, what: 'the OTLP sink listens', processes: [sink] });
  return { process: sink, port };
}

/** A sample each 500 µs; the file is written when the process ends in order. */
const profilerArguments = (directory, name) =>
  directory === undefined
    ? []
    : ['--cpu-prof', '--cpu-prof-interval=500', `--cpu-prof-dir=${directory}`, `--cpu-prof-name=${name}.cpuprofile`];

const newKey = () => randomBytes(32).toString('hex');

const isOk = (url) =>
  fetch(url).then(
    (response) => response.body?.cancel().then(() => response.status === 200),
    () => false,
  );

/** `undefined` if there is no answer yet: whether the servers still run is looked at between tries. */
async function execute(url, key, code) {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  try {
    const response = await fetch(`${url}/data/python3integration/api/v1/exec`, { method: 'POST', headers, body: JSON.stringify({ code }) });
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined;
  }
}

/** From the job's record; `undefined` if that does not say. */
async function readIsolationLevel(url, key, jobId) {
  const response = await fetch(`${url}/api/v1/jobs/${jobId}`, { headers: { authorization: `Bearer ${key}` } });
  return response.ok ? (await response.json()).level : undefined;
}
