import { spawn } from 'node:child_process';
import { holdLockFor } from './launch-lock.mjs';
import { LaunchError, root } from './root.mjs';
import { watchParent } from './watch-parent.mjs';

const KEPT_CHARACTERS = 20_000;

/**
 * Runs one step with its output kept back, and shows that only if it fails. The step ends with us: on a signal, and when
 * our parent is gone (npm killed, for example).
 */
export async function runStep(what, file, args) {
  const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.pid !== undefined) holdLockFor(child.pid);
  let output = '';
  const keep = (chunk) => {
    output = (output + chunk).slice(-KEPT_CHARACTERS);
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);

  let stoppedBy;
  const stop = (signal) => {
    stoppedBy ??= signal;
    child.kill('SIGTERM');
  };
  const stopListening = onStop(stop);
  try {
    const ending = await new Promise((resolve, reject) => {
      child.once('error', (error) => reject(new LaunchError(`${what} could not be started: ${error.message}`)));
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
    if (stoppedBy !== undefined) process.exit(stoppedBy === 'SIGINT' ? 130 : 143);
    if (ending.code !== 0)
      throw new LaunchError(`${output.trimEnd()}\n${what} failed (${ending.signal ?? `exit code ${ending.code}`}); its output is above.`);
  } finally {
    stopListening();
  }
}

/** Calls back when this process is asked to end, or its parent has. Returns what takes it off again. */
export function onStop(stop) {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const handle = (signal) => stop(signal, false);
  for (const signal of signals) process.on(signal, handle);
  const stopWatching = watchParent(() => stop('SIGTERM', true));
  return () => {
    stopWatching();
    for (const signal of signals) process.off(signal, handle);
  };
}
