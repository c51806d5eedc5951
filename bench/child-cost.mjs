// What a job costs its child, counted and not timed: page faults, and with strace system calls, per mode, fresh and warm. A busy
// machine changes neither. Figures are those of the kernel: faults of children the template has waited for, and its own.
//
//   npm run build && node bench/child-cost.mjs [jobs]        as root, for the layers of level A; strace for system calls
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OneMode, statOf } from './one-mode.mjs';

const JOBS = Number(process.argv[2] ?? 200);
const TRACED_JOBS = 50;
const WARM_UP = 30;
const job = { code: 'result = a + b', variables: { a: 1, b: 2 } };
const [MINFLT, CMINFLT] = [10, 11];
const hasStrace = spawnSync('strace', ['-V'], { stdio: 'ignore' }).status === 0;

for (const mode of ['restricted', 'admin']) {
  const side = await OneMode.start({ mode });
  await runFresh(side, WARM_UP);
  const before = statOf(side.template.pid);
  await runFresh(side, JOBS);
  const after = statOf(side.template.pid);
  const calls = hasStrace ? await countCalls(side.template.pid, () => runFresh(side, TRACED_JOBS)) : undefined;
  show(mode, 'fresh', (after(CMINFLT) - before(CMINFLT)) / JOBS, calls && calls.children / TRACED_JOBS);
  show(mode, 'template, per fork', (after(MINFLT) - before(MINFLT)) / JOBS, calls && calls.own / TRACED_JOBS);

  const kept = await side.fork();
  await runWarm(side, kept, WARM_UP);
  const keptBefore = statOf(kept.pid);
  await runWarm(side, kept, JOBS);
  const keptAfter = statOf(kept.pid);
  const keptCalls = hasStrace ? await countCalls(kept.pid, () => runWarm(side, kept, TRACED_JOBS)) : undefined;
  show(mode, 'warm', (keptAfter(MINFLT) - keptBefore(MINFLT)) / JOBS, keptCalls && keptCalls.own / TRACED_JOBS);
  kept.kill();
  await kept.exited;
  await side.stop();
}

async function runFresh(side, jobs) {
  for (let count = 0; count < jobs; count += 1) expectAnswer(await side.run(await side.fork(), job));
}

async function runWarm(side, child, jobs) {
  for (let count = 0; count < jobs; count += 1) expectAnswer(await side.run(child, { ...job, keep: true }));
}

function expectAnswer(report) {
  if (report.answer?.result.status !== 'succeeded') throw new Error(JSON.stringify(report.exit));
}

function show(mode, what, faults, calls) {
  const counted = calls === undefined ? '(no strace)' : `${calls.toFixed(1).padStart(6)} system calls`;
  console.log(`${mode.padEnd(11)} ${what.padEnd(19)} ${faults.toFixed(1).padStart(6)} page faults  ${counted}`);
}

/** System calls of a process, and of those it forks meanwhile. */
async function countCalls(pid, work) {
  const folder = mkdtempSync(join(tmpdir(), 'p3-strace-'));
  const file = join(folder, 'calls');
  const strace = spawn('strace', ['-f', '-p', String(pid), '-o', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => strace.once('exit', resolve));
  await new Promise((resolve, reject) => {
    strace.stderr.on('data', (text) => String(text).includes('attached') && resolve());
    strace.once('exit', () => reject(new Error('strace cannot attach')));
  });
  await work();
  strace.kill('SIGINT');
  await ended;
  const lines = readFileSync(file, 'latin1').split('\n');
  if (process.env.KEEP_TRACE) spawnSync('cp', [file, `${process.env.KEEP_TRACE}.${pid}`]);
  rmSync(folder, { recursive: true });
  // What was interrupted is told in two lines.
  const calls = lines.filter((line) => /^\d+ +\w+\(/.test(line));
  const own = calls.filter((line) => line.startsWith(`${pid} `)).length;
  return { own, children: calls.length - own };
}
