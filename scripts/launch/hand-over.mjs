import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LaunchError, root } from './root.mjs';
import { onStop } from './run-step.mjs';

const scripts = {
  test: 'scripts/run-tests.mjs',
  bench: 'bench/main.mjs',
  soak: 'bench/soak/main.mjs',
  check: 'scripts/check.mjs',
  chaos: 'scripts/run-chaos.mjs',
};

export const programs = ['start', ...Object.keys(scripts)];

const KILL_GRACE_MS = 10_000;

export const handOver = (program, args) => (program === 'start' ? runCommandLine(['start', ...args]) : runScript(scripts[program], args));

/** In this process: one process less between npm and the cluster, and signals reach it directly. */
async function runCommandLine(args) {
  const commandLine = await import(pathToFileURL(join(root, 'packages/cli/dist/main.js')).href);
  const exitCode = await (commandLine.runCli ?? commandLine.default.runCli)(args);
  if (typeof exitCode === 'number') process.exitCode = exitCode;
}

/** In a process of its own, which gets our signals and gives us its exit code. */
async function runScript(script, args) {
  if (!existsSync(join(root, script))) throw new LaunchError(`${script} is missing from this clone.`);
  const child = spawn(process.execPath, [join(root, script), ...args], { cwd: root, stdio: 'inherit' });
  let killTimer;
  const stopListening = onStop((signal, parentIsGone) => {
    // Ctrl-C in a terminal has reached the whole process group already.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    // Nobody is left to press it twice.
    if (parentIsGone) killTimer = setTimeout(() => child.kill('SIGKILL'), KILL_GRACE_MS);
  });
  const { code, signal } = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode, exitSignal) => resolve({ code: exitCode, signal: exitSignal }));
  });
  stopListening();
  clearTimeout(killTimer);
  process.exitCode = code ?? 128 + constants.signals[signal];
}
