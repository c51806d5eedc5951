import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { readProcessStat } from '../provision/process-start-time';

const POLL_MS = 250;

/** How far up a package manager is looked for; between it and us are a shell or two, or a test runner. */
const MAX_DEPTH = 8;

const SHELLS = new Set(['sh', 'bash', 'dash', 'ash', 'busybox', 'zsh', 'ksh', 'fish']);

/** `npm start` as npm renames itself, and `node …/npm-cli.js start` before that. */
const PACKAGE_MANAGER = /^(npm|npx|pnpm|pnpx|yarn|yarnpkg|bun)(-cli)?(\.[cm]?js)?$/;

interface WatchedProcess {
  readonly pid: number;
  readonly startTime: string;
}

/**
 * Calls `onGone` once, when the process that started this one on somebody's behalf has died without a word (SIGKILL).
 *
 *   terminal ── login shell ── npm start ── sh -c … ── node      watched: sh and npm
 *   terminal ── login shell ── node …                            watched: nothing, a shell may log out (nohup, &)
 *   service manager (pid 1) ── node …                            watched: nothing
 *   test runner ── node …                                        watched: the test runner
 *
 * Where there is no `/proc`, only a change of parent is noticed. The poll does not keep the process alive. Returns stop.
 */
export function watchAncestors(onGone: () => void): () => void {
  const parentPid = process.ppid;
  const ancestors = findAncestorsToWatch(parentPid, isRunByPackageManager());
  if (ancestors === undefined) return () => undefined;
  const timer = setInterval(() => {
    if (process.ppid === parentPid && ancestors.every(isStillThere)) return;
    clearInterval(timer);
    onGone();
  }, POLL_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Clock ticks in proc(5) are hundredths of a second on every Linux that Node runs on. */
const TICK_MS = 10;

/** For how long this process has been there, or the package manager that runs it. */
export function startedByAgoMs(): number {
  const own = readProcessStat(process.pid);
  const starter = isRunByPackageManager() ? listAncestors(process.ppid).find((ancestor) => ancestor.isPackageManager) : undefined;
  const before = own === undefined || starter === undefined ? 0 : Number(own.startTime) - Number(starter.startTime);
  return performance.now() + before * TICK_MS;
}

/** Undefined: watch nothing. Empty: only our own parent pid. */
function findAncestorsToWatch(parentPid: number, byPackageManager: boolean): WatchedProcess[] | undefined {
  if (parentPid <= 1) return undefined;
  const ancestors = listAncestors(parentPid);
  if (ancestors.length === 0) return readProcessStat(parentPid) === undefined ? [] : undefined;
  const place = byPackageManager ? ancestors.findIndex((ancestor) => ancestor.isPackageManager) : 0;
  return ancestors.slice(0, Math.max(place, 0) + 1);
}

/** From the parent up to a person's shell. */
function listAncestors(parentPid: number): (WatchedProcess & { readonly isPackageManager: boolean })[] {
  const ancestors: (WatchedProcess & { readonly isPackageManager: boolean })[] = [];
  for (let pid = parentPid; pid > 1 && ancestors.length < MAX_DEPTH;) {
    const stat = readProcessStat(pid);
    const args = readArguments(pid);
    if (stat === undefined || isPersonsShell(stat.name, args)) break;
    ancestors.push({ pid, startTime: stat.startTime, isPackageManager: isPackageManager(args) });
    pid = stat.parentPid;
  }
  return ancestors;
}

/** The variables are inherited, so they only say that a package manager is somewhere above, or was. */
const isRunByPackageManager = (): boolean => process.env['npm_lifecycle_event'] !== undefined || process.env['npm_execpath'] !== undefined;

const isPackageManager = (args: readonly string[]): boolean =>
  [args[0]?.split(' ')[0], args[1]].some((word) => PACKAGE_MANAGER.test(basename(word ?? '')));

/** A shell with neither `-c` nor a script belongs to a person, who may leave. */
const isPersonsShell = (name: string, args: readonly string[]): boolean =>
  SHELLS.has(name) && args.slice(1).every((arg) => arg.startsWith('-') && !/^-\w*c$/.test(arg));

function readArguments(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
  } catch {
    return [];
  }
}

function isStillThere({ pid, startTime }: WatchedProcess): boolean {
  const stat = readProcessStat(pid);
  return stat !== undefined && stat.startTime === startTime && stat.state !== 'Z' && stat.state !== 'X';
}
