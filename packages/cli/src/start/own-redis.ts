import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterError, connectRedis, ephemeralPorts, type Config } from '@python3-cluster/shared';
import type { RedisServerCommand } from '../provision';
import { chooseFreePort } from './free-port';
import { writeWhole } from '../cluster/secrets';
import { SupervisedProcess } from './supervised-process';

export interface OwnRedis {
  readonly url: string;
  stop(): Promise<void>;
}

export interface OwnRedisOptions {
  readonly command: RedisServerCommand;
  readonly dataDirectory: string;
  readonly logPath: string;
  readonly password: string;
  readonly durability: Config['durability'];
  readonly report: (line: string) => void;
}

/** Not Redis' usual port: the machine may run a Redis of its own. */
const WISHED_PORT = 8379;
/** To answer anything. What it then reads from its disk may take as long as it takes. */
const UP_TIMEOUT_MS = 30_000;
const UP_LOOK_MS = 50;
/** Connected for this long and not ready: then it is reading. */
const LOADING_MS = 1_000;
const STOP_GRACE_MS = 10_000;

/**
 * Redis does not notice that its parent is gone, so a shell stands between: it ends the server when its standard input
 * ends, and ends itself when the server does. The server must not hold the pipe, and `wait` returns early on a signal. A
 * server that cannot write its append-only file does not end when it is asked to: after 8 s it is made to.
 */
const GUARD = `
exec 3<&0
"$@" 3<&- </dev/null & server=$!
(cat <&3 >/dev/null
kill "$server" 2>/dev/null
sleep 8 & nap=$!; trap 'kill "$nap" 2>/dev/null; exit' TERM
wait "$nap"; kill -9 "$server" 2>/dev/null) & watcher=$!
trap 'kill "$server" 2>/dev/null' TERM INT HUP
while kill -0 "$server" 2>/dev/null; do wait "$server"; status=$?; done
kill "$watcher" 2>/dev/null
exit "$status"
`;

/** Runs this clone's Redis: append-only file synced as the durability level needs, nothing evicted, password, loopback only. */
export async function startOwnRedis(options: OwnRedisOptions): Promise<OwnRedis> {
  const directory = join(options.dataDirectory, 'redis');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const port = await choosePort(join(directory, 'port'), options.report);
  const configPath = join(directory, 'redis.conf');
  writeFileSync(configPath, formatConfig(directory, port, options), { mode: 0o600 });
  const server = new SupervisedProcess({
    name: 'Redis',
    file: '/bin/sh',
    args: ['-c', GUARD, 'redis-guard', linkServer(options.command, directory), configPath],
    env: { PATH: process.env['PATH'], ...options.command.env },
    logPath: options.logPath,
    report: options.report,
  });
  server.start();
  const url = `redis://:${options.password}@127.0.0.1:${port}/0`;
  try {
    await waitUntilUp(url, server, options.report);
  } catch (error) {
    await server.stop(STOP_GRACE_MS);
    throw error;
  }
  return { url, stop: () => server.stop(STOP_GRACE_MS) };
}

/** The server of some packages is a program under another name, which looks at what it was called as. */
function linkServer(command: RedisServerCommand, directory: string): string {
  if (command.argv0 === undefined) return command.file;
  const path = join(directory, command.argv0);
  rmSync(path, { force: true });
  symlinkSync(command.file, path);
  return path;
}

function formatConfig(directory: string, port: number, { password, durability }: OwnRedisOptions): string {
  return `bind 127.0.0.1
port ${port}
protected-mode yes
requirepass ${password}
dir "${directory}"
appendonly yes
appendfsync ${durability === 'disk' ? 'always' : 'everysec'}
save ""
maxmemory-policy noeviction
daemonize no
`;
}

/**
 * The port of the start before, if it can be had: a second worker node knows it. Else another, which is kept in its turn.
 * Never one that ADMIN code may listen on.
 */
async function choosePort(keptPath: string, report: (line: string) => void): Promise<number> {
  const kept = readPort(keptPath);
  const wished = kept === undefined ? [WISHED_PORT] : [kept, WISHED_PORT];
  const port = await chooseFreePort('127.0.0.1', wished, ephemeralPorts());
  if (kept !== undefined && port !== kept) report(`Redis moves from port ${kept}, which cannot be had, to ${port}: worker nodes that were told the old one must be told`);
  if (port !== kept) writeWhole(keptPath, `${port}\n`);
  return port;
} // prettier-ignore

function readPort(path: string): number | undefined {
  try {
    const port = Number(readFileSync(path, 'utf8').trim());
    return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
  } catch {
    return undefined;
  }
}

/** @throws ClusterError REDIS_START_FAILED, at once if the server ends */
async function waitUntilUp(url: string, server: SupervisedProcess, report: (line: string) => void): Promise<void> {
  const redis = connectRedis(url, { profile: 'patient', name: 'python3-start', onError: () => undefined });
  let isUp = false;
  let failure: Error | undefined;
  redis.ping().then(
    () => (isUp = true),
    (error: Error) => (failure = error),
  );
  const failed = (why: string): ClusterError => new ClusterError('REDIS_START_FAILED', `Redis did not come up: ${why}`);
  let deadline = Date.now() + UP_TIMEOUT_MS;
  let connectedAt: number | undefined;
  try {
    while (!isUp) {
      if (server.lastEnd !== undefined) throw failed(server.lastEnd);
      if (failure !== undefined) throw failed(failure.message);
      connectedAt = redis.status === 'connect' ? (connectedAt ?? Date.now()) : undefined;
      if (deadline !== Infinity && connectedAt !== undefined && Date.now() - connectedAt > LOADING_MS) {
        report('Redis reads what it had kept …');
        deadline = Infinity;
      }
      if (Date.now() > deadline) throw failed(`no answer within ${UP_TIMEOUT_MS / 1_000} s; its log ends:\n${server.lastWords()}`);
      await new Promise((resolve) => setTimeout(resolve, UP_LOOK_MS));
    }
  } finally {
    redis.disconnect();
  }
}
