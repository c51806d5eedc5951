// `npm run soak`: mixed jobs at a steady rate for a long time, and whether anything grows. judge.mjs has the rule.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { startPrivateRedis } from '../private-redis.mjs';
import { isStopping, stopAllProcesses } from '../processes.mjs';
import { findRedisServer } from '../requirements.mjs';
import { RESULT_TTL_SECONDS, startCluster } from './cluster.mjs';
import { formatFindings, formatTable } from './format.mjs';
import { judge } from './judge.mjs';
import { Load } from './load.mjs';
import { FIGURES, sample, watchedName } from './sampler.mjs';

const USAGE = `Usage: npm run soak -- [options]
  --minutes 30      how long (fractions allowed)
  --jobs N          end after so many jobs, if that comes first
  --rate 20         jobs per second
  --samples 120     samples over the whole time
  --watch PID,…     watch other processes, too
  --json FILE       write everything measured to FILE
  --judge FILE      judge what an earlier run wrote, and run nothing
Exit code 0: flat, and every job ended as it should. 1: not. 2: bad options.
`;

/** Progress goes to stderr, the report to stdout; its last line is JSON. */
const report = (line) => void process.stderr.write(`${line}\n`);

async function main() {
  let settings;
  try {
    settings = readSettings();
  } catch (error) {
    report(`${error.message}\n${USAGE}`);
    return 2;
  }
  if (settings.judge !== undefined) return conclude(JSON.parse(readFileSync(settings.judge, 'utf8')));
  const directory = mkdtempSync(join(tmpdir(), 'p3-soak-'));
  const cleanUp = async () => {
    await stopAllProcesses();
    rmSync(directory, { recursive: true, force: true });
  };
  for (const [name, code] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) {
    process.once(name, () => void cleanUp().finally(() => process.exit(code)));
  }
  try {
    const run = await soak(settings, directory);
    if (settings.json !== undefined) writeFileSync(settings.json, `${JSON.stringify(run)}\n`);
    return conclude(run);
  } catch (error) {
    if (!isStopping()) report(`The soak failed: ${error.stack}`);
    return 1;
  } finally {
    await cleanUp();
  }
}

async function soak({ forMs, jobs, rate, samples: count, watchedPids }, directory) {
  mkdirSync(join(directory, 'run'));
  const redis = await startPrivateRedis(await findRedisServer(report), directory);
  const client = new Redis(redis.urlOf(0));
  const cluster = await startCluster(redis, directory);
  const load = new Load(cluster);
  const startedAt = Date.now();
  let hasEnded = false;
  const isOver = (sent) => sent >= jobs || Date.now() - startedAt >= forMs;
  const loading = load.run(rate, isOver).finally(() => (hasEnded = true));
  const figures = [
    ...Object.entries(FIGURES).map(([name, kind]) => ({ name, kind, ...settling(name), samples: [] })),
    ...watchedPids.map((pid) => ({ name: watchedName(pid), kind: 'bytes', samples: [] })),
  ];
  const loops = [];
  const parts = { ...cluster, redis, askRedis: (ask) => ask(client), watchedPids };
  for (let since = startedAt; !hasEnded;) {
    await Promise.race([sleep(forMs / count), loading]);
    const at = Date.now();
    const taken = await sample(parts, since);
    since = at;
    loops.push(taken.loops);
    for (const figure of figures) figure.samples.push([at - startedAt, taken.figures[figure.name]]);
    report(`${Math.round((at - startedAt) / 1_000)} s: ${JSON.stringify(load.counts)}, ${load.errors} errors ${load.lastError}`);
  }
  await loading;
  client.disconnect();
  redis.disconnect();
  const { counts, errors, lastError, skipped } = load;
  return { ms: Date.now() - startedAt, counts, errors, lastError, skipped, figures, loops };
}

/** Until the first outcomes expire, and the sweeping of what points to them, what Redis holds must grow. */
const settling = (name) => (name.startsWith('Redis') ? { settlesAfterMs: 2_500 * RESULT_TTL_SECONDS } : {});

function conclude({ ms, counts, errors, lastError, skipped, figures, loops = [] }) {
  const { isFlat, findings } = judge({ figures });
  const isWell = isFlat && errors === 0;
  const worst = (name, key) => Math.max(0, ...loops.map((each) => each[name][key]));
  const loop = { apiLateMs: worst('api', 'lateMs'), apiWorkMs: worst('api', 'workMs'), workerLateMs: worst('worker', 'lateMs'), workerWorkMs: worst('worker', 'workMs') }; // prettier-ignore
  if (loops.length > 0) process.stdout.write(`${formatTable(figures, loops)}\n\n`);
  process.stdout.write(`${formatFindings(findings)}\n\n`);
  if (errors > 0) process.stdout.write(`${errors} jobs did not end as they should; the last: ${lastError}\n`);
  process.stdout.write(`Verdict: ${isFlat ? 'flat' : 'not flat'}\n`);
  process.stdout.write(
    `${JSON.stringify({ soak: isWell ? 'ok' : 'failed', flat: isFlat, ms, counts, errors, skipped, loop, findings })}\n`,
  );
  return isWell ? 0 : 1;
}

function readSettings() {
  const names = ['minutes', 'jobs', 'rate', 'samples', 'watch', 'json', 'judge'];
  const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) });
  return {
    forMs: number('minutes', values.minutes ?? '30', 0.1, 10_000) * 60_000,
    jobs: number('jobs', values.jobs ?? 'Infinity', 1, Infinity),
    rate: number('rate', values.rate ?? '20', 0.1, 1_000),
    samples: number('samples', values.samples ?? '120', 10, 10_000),
    watchedPids: (values.watch ?? '').split(',').filter(Boolean).map((pid) => number('watch', pid, 1, 2 ** 22)),
    json: values.json,
    judge: values.judge,
  }; // prettier-ignore
}

function number(name, text, least, most) {
  const value = Number(text);
  if (!(value >= least && value <= most)) throw new Error(`--${name}: ${text} is not between ${least} and ${most}.`);
  return value;
}

process.exitCode = await main();
