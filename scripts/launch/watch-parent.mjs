import { readFileSync } from 'node:fs';

const POLL_MS = 250;

/**
 * Calls back once when our parent is gone, or the one above a `sh -c` between us: npm starts scripts that way, and a killed
 * npm leaves its shell behind. A small relative of `packages/cli/src/start/watch-ancestors.ts`, for before that is built.
 */
export function watchParent(onGone) {
  const parent = process.ppid;
  const above = isShellCommand(parent) ? identify(readParent(parent)) : undefined;
  const timer = setInterval(() => {
    if (process.ppid === parent && (above === undefined || identify(above.pid)?.startTime === above.startTime)) return;
    clearInterval(timer);
    onGone();
  }, POLL_MS);
  timer.unref();
  return () => clearInterval(timer);
}

function isShellCommand(pid) {
  try {
    const [program, option] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return /(^|\/)(ba|da|a)?sh$/.test(program) && option === '-c';
  } catch {
    return false;
  }
}

const readParent = (pid) => Number(readStat(pid)?.[1]);

/** Undefined for what is not there, or dead and not collected. */
function identify(pid) {
  const stat = readStat(pid);
  return stat === undefined || pid <= 1 || stat[0] === 'Z' ? undefined : { pid, startTime: stat[19] };
}

/** The fields after the name, from the state on (proc(5)). */
function readStat(pid) {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return line.slice(line.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
