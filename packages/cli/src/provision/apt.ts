import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAtLeast, parseDebianVersion } from './program-version';
import { runCommand } from './run-command';

const UPDATE_TIMEOUT_MS = 300_000;
const INSTALL_TIMEOUT_MS = 900_000;
const LOCK_WAIT_MS = 120_000;
const LOCK_POLL_MS = 2_000;

/** A package that would do, if the distribution has it in this version or a newer one. */
export interface PackageChoice {
  readonly name: string;
  readonly minVersion: string;
}

/** One way to call apt: on the system's own state (needs root), or on state of ours (needs nobody's leave). */
export interface Apt {
  readonly options: readonly string[];
  readonly listsDirectory: string;
}

const SYSTEM_LISTS = '/var/lib/apt/lists';

/** A network that swallows packets must not hold up a start for minutes. */
const networkSettings = { 'Acquire::http::Timeout': '20', 'Acquire::https::Timeout': '20', 'Acquire::Retries': '2' };

const environment = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' };

export const systemApt = (): Apt => ({
  options: toOptions({ ...networkSettings, 'DPkg::Lock::Timeout': String(LOCK_WAIT_MS / 1000) }),
  listsDirectory: SYSTEM_LISTS,
});

/** Reads the machine's sources, keys and list of installed packages, and writes below `directory` only. */
export function privateApt(directory: string, lists: 'system' | 'own'): Apt {
  const listsDirectory = lists === 'system' ? SYSTEM_LISTS : join(directory, 'lists');
  for (const part of ['lists/partial', 'archives/partial', 'cache']) mkdirSync(join(directory, part), { recursive: true });
  const settings = {
    ...networkSettings,
    'Dir::State::lists': `${listsDirectory}/`,
    'Dir::Cache': `${join(directory, 'cache')}/`,
    'Dir::Cache::archives': `${join(directory, 'archives')}/`,
    'Debug::NoLocking': 'true',
    // root may end up here too, and apt's own user cannot write below a private data directory
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
  };
  return { options: toOptions(settings), listsDirectory };
}

const toOptions = (settings: Readonly<Record<string, string>>): string[] =>
  Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);

export function hasPackageLists(apt: Apt): boolean {
  try {
    return readdirSync(apt.listsDirectory).some((file) => /_Packages(\.\w+)?$/.test(file));
  } catch {
    return false;
  }
}

/** `apt-get update`. The lists' lock has no time limit setting of its own, so it is waited for here. */
export async function updatePackageLists(apt: Apt, signal?: AbortSignal): Promise<void> {
  for (const giveUpAt = Date.now() + LOCK_WAIT_MS; ;) {
    try {
      await runCommand('apt-get', [...apt.options, '-q', 'update'], { timeoutMs: UPDATE_TIMEOUT_MS, env: environment, signal });
      return;
    } catch (error) {
      if (!/Could not get lock|Unable to lock/.test(String(error)) || Date.now() > giveUpAt) throw error;
      await sleep(LOCK_POLL_MS, undefined, signal === undefined ? {} : { signal });
    }
  }
}

/** The first choice the lists hold in a sufficient version; otherwise what they hold instead, for the message. */
export async function choosePackage(
  apt: Apt,
  choices: readonly PackageChoice[],
  signal?: AbortSignal,
): Promise<{ readonly name?: string; readonly offered: Readonly<Record<string, string>> }> {
  const names = choices.map((choice) => choice.name);
  const stdout = await runCommand('apt-cache', [...apt.options, 'policy', ...names], { timeoutMs: 60_000, signal });
  const offered = parsePolicy(stdout);
  const chosen = choices.find(({ name, minVersion }) => isAtLeast(offered[name] ?? '0', minVersion));
  return chosen === undefined ? { offered } : { name: chosen.name, offered };
}

/** Package → upstream version of the candidate, from `apt-cache policy`. */
export function parsePolicy(output: string): Record<string, string> {
  const offered: Record<string, string> = {};
  for (const block of output.split(/^(?=\S)/m)) {
    const name = /^(\S+):\s*$/m.exec(block)?.[1];
    const version = parseDebianVersion(/^ {2}Candidate: (\S+)/m.exec(block)?.[1] ?? '');
    if (name !== undefined && version !== undefined) offered[name] = version;
  }
  return offered;
}

/** `apt-get install` without recommended packages; with `downloadOnly` it stops short of dpkg and needs no root. */
export async function installPackages(
  apt: Apt,
  names: readonly string[],
  options: { downloadOnly?: boolean; signal?: AbortSignal | undefined; report?: (line: string) => void } = {},
): Promise<void> {
  const { downloadOnly, report, signal } = options;
  const how = [...(downloadOnly === true ? ['--download-only'] : []), ...(report === undefined ? [] : ['-o', 'APT::Status-Fd=3'])];
  await runCommand('apt-get', [...apt.options, '-q', '-y', '--no-install-recommends', ...how, 'install', ...names], {
    timeoutMs: INSTALL_TIMEOUT_MS,
    env: environment,
    signal,
    ...(report && { onStatus: createAptProgress(report) }),
  });
}

const SAY_EVERY_MS = 1_000;

/** apt's own words on how far it is (apt-get(8), `APT::Status-Fd`), once a second. */
export function createAptProgress(report: (line: string) => void, nowMs: () => number = () => performance.now()): (line: string) => void {
  let saidAt = -Infinity;
  return (line) => {
    const [, percent = '', words = ''] = /^(?:dl|pm)status:[^:]*:([\d.]+):(.*)$/.exec(line) ?? [];
    if (percent === '' || nowMs() - saidAt < SAY_EVERY_MS) return;
    saidAt = nowMs();
    report(`  apt: ${Math.floor(Number(percent))} %, ${words}`);
  };
}
