// Every process the benchmark starts is started and ended here, by its id.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { listDescendants, isSameProcess } from './process-table.mjs';

const GRACE_MS = 4_000;
const KEPT_CHARACTERS = 2_000;
/** Who produces load ends before who serves it, and Redis ends last. */
const STOP_ORDER = ['load', 'contestant', 'redis'];
const SETPRIV = '/usr/bin/setpriv';

const running = new Set();
let stopping = false;

export const isStopping = () => stopping;

/** What a process gets to see of our environment; a `REDIS_URL` or `PYTHON3_…` of the caller's shell is not meant for the benchmark. */
export const baseEnvironment = Object.fromEntries(
  ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TMPDIR', 'USER']
    .filter((name) => process.env[name] !== undefined)
    .map((name) => [name, process.env[name]]),
);

/**
 * Each gets a process group of its own: Ctrl-C in the terminal reaches only the benchmark, which then ends the others in
 * order. Where the kernel can do it they also end when the benchmark is killed.
 */
export function startProcess({ name, stage, file, args, env = {}, cwd, argv0, stdin = 'ignore', onLine, orphanSignal = 'TERM' }) {
  if (stopping) throw new Error('The benchmark is stopping.');
  const dieWithUs = process.platform === 'linux' && argv0 === undefined && existsSync(SETPRIV);
  const command = dieWithUs ? [SETPRIV, ['--pdeathsig', orphanSignal, file, ...args]] : [file, args];
  const child = spawn(...command, { argv0, cwd, env: { ...baseEnvironment, ...env }, detached: true, stdio: [stdin, 'pipe', 'pipe'] });

  let output = '';
  const keep = (chunk) => {
    output = (output + chunk).slice(-KEPT_CHARACTERS);
  };
  child.stderr.setEncoding('utf8').on('data', keep);
  if (onLine === undefined) child.stdout.setEncoding('utf8').on('data', keep);
  else readLines(child.stdout, onLine);

  const started = { name, stage, pid: child.pid, stdin: child.stdin, isRunning: true, readOutput: () => output.trim() };
  child.stdin?.on('error', () => undefined); // its exit says it already
  started.exited = new Promise((resolve) => {
    const end = (how) => {
      started.isRunning = false;
      running.delete(started);
      resolve(how);
    };
    child.once('error', (error) => end(error.message));
    child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
  });
  running.add(started);
  return started;
}

/** Rejects, with what it last printed, if the process ends before `condition` holds. */
export async function waitUntil(condition, { within, what, processes = [] }) {
  for (const giveUpAt = Date.now() + within; ;) {
    const result = await condition();
    if (result) return result;
    const ended = processes.find((one) => !one.isRunning);
    if (ended !== undefined) throw new Error(`${ended.name} ended (${await ended.exited}) before ${what}.\n${ended.readOutput()}`);
    if (Date.now() > giveUpAt)
      throw new Error(
        `${what}: not within ${within / 1000} s.\n${processes
          .map((one) => one.readOutput())
          .join('\n')
          .trim()}`,
      );
    await sleep(50);
  }
}

export async function stopProcess(one) {
  if (!one.isRunning) return;
  signal(one.pid, 'SIGTERM');
  if ((await Promise.race([one.exited, sleep(GRACE_MS, 'late', { ref: false })])) !== 'late') return;
  signal(-one.pid, 'SIGKILL');
  await one.exited;
}

/** Ends everything that was started, and everything that those started in turn; nothing can be started afterwards. */
export async function stopAllProcesses() {
  stopping = true;
  const descendants = listDescendants(process.pid);
  for (const stage of STOP_ORDER) {
    await Promise.all([...running].filter((one) => one.stage === stage).map(stopProcess));
  }
  for (const left of descendants.filter(isSameProcess)) {
    process.stderr.write(`Ending process ${left.pid} (${left.command}), which outlived its parent.\n`);
    signal(left.pid, 'SIGKILL');
  }
}

// The last resort, if the process ends without the above.
process.once('exit', () => {
  for (const one of running) signal(-one.pid, 'SIGKILL');
});

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function readLines(stream, onLine) {
  let rest = [];
  stream.setEncoding('utf8').on('data', (chunk) => {
    const parts = chunk.split('\n');
    while (parts.length > 1) {
      onLine([...rest, parts.shift()].join(''));
      rest = [];
    }
    rest.push(parts[0]);
  });
}
