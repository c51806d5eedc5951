import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterError, connectRedis, within, type Config } from '@python3-cluster/shared';
import type { RedisServerCommand } from '../provision';
import { chooseFreePort } from './free-port';
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
const UP_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 10_000;

/**
 * Redis does not notice that its parent is gone, so a shell stands between: it ends the server when its standard input
 * ends, and ends itself when the server does. The server must not hold the pipe, and `wait` returns early on a signal.
 */
const GUARD = `
exec 3<&0
"$@" 3<&- </dev/null & server=$!
(cat <&3 >/dev/null; kill "$server" 2>/dev/null) & watcher=$!
trap 'kill "$server" 2>/dev/null' TERM INT HUP
while kill -0 "$server" 2>/dev/null; do wait "$server"; status=$?; done
kill "$watcher" 2>/dev/null
exit "$status"
`;

/** Runs this clone's Redis: append-only file synced as the durability level needs, nothing evicted, password, loopback only. */
export async function startOwnRedis(options: OwnRedisOptions): Promise<OwnRedis> {
  const directory = join(options.dataDirectory, 'redis');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const port = await chooseFreePort('127.0.0.1', WISHED_PORT);
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
    await waitUntilUp(url);
  } catch {
    await server.stop(STOP_GRACE_MS);
    throw new ClusterError('REDIS_NOT_FOUND', `Redis did not come up; its last words:\n${server.lastWords()}`);
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

async function waitUntilUp(url: string): Promise<void> {
  const redis = connectRedis(url, { profile: 'patient', name: 'python3-start', onError: () => undefined });
  try {
    await within(UP_TIMEOUT_MS, redis.ping(), 'Redis');
  } finally {
    redis.disconnect();
  }
}
