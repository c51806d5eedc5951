// `npm run bench`: how fast, against whom, and what limits it. README.md here says what is measured and how to read it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createBullmq } from './contestants/bullmq.mjs';
import { createCelery } from './contestants/celery.mjs';
import { createForkExec } from './contestants/fork-exec.mjs';
import { createOurs, createTraced, createWarm, createWarmTraced, createWarmWork, createWork } from './contestants/ours.mjs';
import { createPlain } from './contestants/plain.mjs';
import { createRq } from './contestants/rq.mjs';
import { describeMachine } from './describe-machine.mjs';
import { startPrivateRedis } from './private-redis.mjs';
import { formatProfiles } from './profile.mjs';
import { isStopping, stopAllProcesses } from './processes.mjs';
import { formatReport, summarize } from './report.mjs';
import { CannotTakePart, findRedisServer } from './requirements.mjs';
import { runRounds } from './run-rounds.mjs';

const USAGE = `Usage: npm run bench -- [options]
  --seconds 5          length of one run
  --rounds 3           rounds; medians over them are reported
  --callers 1,8,64     numbers of concurrent callers
  --only ours,rq       contestants: ours, warm, traced, warm-traced, rq, celery, bullmq, fork-exec, and the 100 ms job: work, warm-work,
                       plain
  --slots 4            slots of our worker node (3 to 20; default: the product's own, 2 × cores within 3 to 20)
  --json FILE          write everything measured to FILE
  --profile            ours and warm alone, and what each microsecond of a job is spent on
  --short              ours and bullmq, one round of one second
`;

const factories = {
  ours: createOurs,
  warm: createWarm,
  traced: createTraced,
  'warm-traced': createWarmTraced,
  rq: createRq,
  celery: createCelery,
  bullmq: createBullmq,
  'fork-exec': createForkExec,
  work: createWork,
  'warm-work': createWarmWork,
  plain: createPlain,
};

/** Progress goes to stderr, the report to stdout. */
const report = (line) => void process.stderr.write(`${line}\n`);

async function main() {
  let settings;
  try {
    settings = readSettings();
  } catch (error) {
    report(`${error.message}\n${USAGE}`);
    return 2;
  }
  if (settings.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const directory = mkdtempSync(join(tmpdir(), 'python3-cluster-bench-'));
  const cleanUp = async () => {
    await stopAllProcesses();
    rmSync(directory, { recursive: true, force: true });
  };
  endOnSignals(cleanUp);
  try {
    return await bench(settings, directory);
  } catch (error) {
    // after a signal everything fails, because its processes are being ended
    if (!isStopping()) report(`The benchmark failed: ${error instanceof CannotTakePart ? error.message : error.stack}`);
    return 1;
  } finally {
    await cleanUp();
  }
}

async function bench(settings, directory) {
  const redis = await startPrivateRedis(await findRedisServer(report), directory);
  try {
    return await compete(settings.profile ? { ...settings, profileDirectory: directory } : settings, redis);
  } finally {
    redis.disconnect();
  }
}

async function compete(settings, redis) {
  const { contestants, skipped, failed } = await prepareContestants(settings, redis);
  if (contestants.length === 0) {
    report('Nobody can take part.');
    return 1;
  }
  const measurements = await runRounds(contestants, { redis, ...settings, report });
  for (const contestant of contestants) await contestant.stop();
  const machine = describeMachine({ redis: redis.version });
  const results = { machine, settings, contestants: contestants.map(describeContestant), skipped, measurements };
  const summary = summarize(results);
  process.stdout.write(formatReport(results, summary));
  if (settings.profileDirectory !== undefined) process.stdout.write(formatProfiles(contestants, settings.profileDirectory));
  if (settings.json !== undefined) writeFileSync(settings.json, `${JSON.stringify({ ...results, summary }, null, 2)}\n`);
  return failed || measurements.some(({ errors }) => errors > 0) ? 1 : 0;
}

async function prepareContestants({ only, slots, profileDirectory }, redis) {
  const cores = availableParallelism();
  const contestants = [];
  const skipped = [];
  let failed = false;
  for (const [index, name] of only.entries()) {
    // Redis has 16 databases unless told otherwise; 0 is nobody's
    const contestant = factories[name]({ redis, database: index + 1, cores, slots, profileDirectory, report });
    report(`Preparing ${contestant.title} …`);
    try {
      contestants.push({ ...contestant, found: await contestant.prepare() });
    } catch (error) {
      if (isStopping()) throw error;
      report(`Skipping ${contestant.title}: ${error.message}`);
      skipped.push({ name, title: contestant.title, reason: error.message.split('\n', 1)[0] });
      failed ||= !(error instanceof CannotTakePart);
      await contestant.stop();
    }
  }
  return { contestants, skipped, failed };
}

const describeContestant = ({ name, title, settings, found }) => ({ name, title, settings, ...found });

function readSettings() {
  const options = Object.fromEntries(['seconds', 'rounds', 'callers', 'only', 'slots', 'json'].map((name) => [name, { type: 'string' }]));
  const { values } = parseArgs({
    options: { ...options, short: { type: 'boolean' }, profile: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  const short = values.short === true;
  const profile = values.profile === true;
  const settings = {
    seconds: number('seconds', values.seconds ?? (short ? '1' : '5'), { least: 0.2, most: 600 }),
    rounds: integer('rounds', values.rounds ?? (short ? '1' : '3'), { least: 1, most: 100 }),
    callers: (values.callers ?? '1,8,64').split(',').map((count) => integer('callers', count, { least: 1, most: 64 })),
    only: [...new Set((values.only ?? (short ? 'ours,bullmq' : profile ? 'ours,warm' : Object.keys(factories).join())).split(','))],
    slots: integer('slots', values.slots ?? String(Math.min(20, Math.max(3, 2 * availableParallelism()))), { least: 3, most: 20 }),
    json: values.json,
    profile,
    help: values.help === true,
  };
  const unknown = settings.only.filter((name) => factories[name] === undefined);
  if (unknown.length > 0) throw new Error(`--only: nobody is called ${unknown.join(', ')}.`);
  return settings;
}

function integer(name, text, range) {
  if (!/^\d+$/.test(text)) throw new Error(`--${name}: ${text} is not a whole number.`);
  return number(name, text, range);
}

function number(name, text, { least, most }) {
  const value = Number(text);
  if (!(value >= least && value <= most)) throw new Error(`--${name}: ${text} is not between ${least} and ${most}.`);
  return value;
}

/** Once: a second Ctrl-C ends it at once, and then the `exit` handler of processes.mjs kills what is left. */
function endOnSignals(cleanUp) {
  const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
  for (const [name, exitCode] of Object.entries(exitCodes)) {
    let heard = false;
    process.on(name, () => {
      if (heard) process.exit(exitCode);
      heard = true;
      report('Stopping …');
      void cleanUp().finally(() => process.exit(exitCode));
    });
  }
}

process.exitCode = await main();
