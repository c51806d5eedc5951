import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createSignInPath } from '@python3-cluster/api';
import {
  ClusterError,
  ephemeralPorts,
  findPortProblem,
  KeyRing,
  loadConfig,
  readConfig,
  STOP_GRACE_MS,
  throwProblems,
  type Config,
  type Environment,
  type IsolationLevel,
} from '@python3-cluster/shared';
import { writeRunFile } from '../cluster/run-file';
import { findOrInstallBubblewrap, findOrInstallPython, findOrInstallRedis, installTogether } from '../provision';
import { describeWait } from './announce-stop';
import { runFirstJob, type FirstJob } from './first-job';
import { assertPortFree, chooseFreePort } from './free-port';
import { startOwnRedis, type OwnRedis } from './own-redis';
import { ensureSecrets, readSecret, writeWhole, type SecretFiles } from '../cluster/secrets';
import { takeStartLock } from './start-lock';
import { SupervisedProcess } from './supervised-process';
import { timed } from './time-taken';

export interface StartedCluster {
  readonly config: Config;
  readonly address: string;
  readonly secrets: SecretFiles;
  readonly redisUrl: string;
  readonly signInPath: string;
  /** How a shell comes by the key; never the key itself. */
  readonly developerKey: string;
  /** One that its worker node serves: `default`, if it does. */
  readonly lane: string;
  readonly firstJob: FirstJob;
  /** undefined: no worker node has told it. */
  readonly isolationLevel: IsolationLevel | undefined;
  stop(): Promise<void>;
}

export interface StartClusterOptions {
  readonly environment: Environment;
  readonly dataDirectory: string;
  readonly report: (line: string) => void;
  /** Hands out, as soon as there is something to stop, the way to stop it. */
  readonly onStoppable: (way: WayToStop) => void;
}

export interface WayToStop {
  readonly stop: () => Promise<void>;
  /** Ends API and worker node at once, and what runs there; `stop` then comes to its end. */
  readonly endNow: () => void;
  /** What a stop would wait for, in words. */
  readonly describeWait: () => Promise<string>;
}

/** That of the setting, from which a free one is looked for where none is named. */
const DEFAULT_PORT = 8311;

const COMMAND = join(__dirname, '..', '..', 'bin', 'python3-cluster.js');

/**
 * Start order: lock → port → secrets → Redis and Python → API and worker node → first job.
 * Stop order: API (its callers get their answers) → worker node (drains) → Redis → lock.
 * @throws ClusterError ALREADY_RUNNING, PORT_IN_USE, CONFIG_INVALID, REDIS_NOT_FOUND, REDIS_START_FAILED, PYTHON_NOT_FOUND, START_FAILED
 */
export async function startCluster(options: StartClusterOptions): Promise<StartedCluster> {
  const { dataDirectory, report } = options;
  const { config, warnings, problems, isValid } = readConfig(options.environment);
  // With nothing else wrong the lock comes first: what listens there may be this very clone.
  const portProblem = problems.length > 0 && isValid('port') ? await findPortProblem('PORT', config.host, config.port) : undefined;
  throwProblems(portProblem === undefined ? problems : [...problems, portProblem]);
  for (const warning of warnings) report(`WARNING: ${warning}`);
  if (config.redisUrl === '' && config.durability === 'replica')
    throw new ClusterError('CONFIG_INVALID', 'PYTHON3_DURABILITY=replica needs a Redis with a replica: set REDIS_URL.');
  const releaseLock = takeStartLock(dataDirectory);
  const stops: (() => Promise<void>)[] = [];
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= stopInOrder(stops).finally(releaseLock));
  const servers: Servers = { children: [] };
  options.onStoppable({
    stop,
    endNow: () => servers.children.forEach((child) => child.kill()),
    describeWait: async () => (servers.address === undefined ? 'stopping' : describeWait(servers.address, longestDrainSeconds(config))),
  });
  try {
    return { ...(await bringUp(options, config, stops, servers)), stop };
  } catch (error) {
    await stop();
    report('start failed');
    throw error;
  }
}

/** API and worker node, as far as they have been started. */
interface Servers {
  address?: string;
  readonly children: SupervisedProcess[];
}

/** One after the other: callers who wait get their answers before the worker node is told. */
export const longestDrainSeconds = ({ drainSeconds }: Pick<Config, 'drainSeconds'>): number => 2 * drainSeconds;

async function bringUp(
  options: StartClusterOptions,
  config: Config,
  stops: (() => Promise<void>)[],
  servers: Servers,
): Promise<Omit<StartedCluster, 'stop'>> {
  const { environment, dataDirectory, report } = options;
  await assertPortFree(config.host, config.port);
  const port = config.port === 0 ? await chooseFreePort(config.host, [DEFAULT_PORT], ephemeralPorts()) : config.port;
  const secrets = ensureSecrets(join(dataDirectory, 'secrets'));
  const logDirectory = join(dataDirectory, 'logs');
  mkdirSync(logDirectory, { recursive: true, mode: 0o700 });
  const log = (name: string): string => join(logDirectory, `${name}.log`);

  const needs = { needsRedis: config.redisUrl === '', needsPython: config.pythonPath === '' };
  await timed('Redis and Python', () => installTogether({ dataDirectory, report, ...needs }));
  const redis = config.redisUrl === '' ? await bringUpRedis(options, config, log('redis'), secrets) : undefined;
  if (redis) stops.push(() => redis.stop());
  const redisUrl = redis?.url ?? config.redisUrl;
  // For a second worker node on this machine: REDIS_URL_FILE=.data/secrets/redis.url
  writeWhole(join(dataDirectory, 'secrets', 'redis.url'), `${redisUrl}\n`);
  // The worker node finds both again by itself; installing them belongs here, where somebody reads the progress.
  const explicitPath = config.pythonPath === '' ? undefined : config.pythonPath;
  await timed('Python', () =>
    Promise.all([findOrInstallPython({ dataDirectory, report, explicitPath }), findOrInstallBubblewrap({ dataDirectory, report })]),
  );

  const shared = {
    ...environment,
    PORT: String(port),
    REDIS_URL: redisUrl,
    ...fileUnlessSet(environment, 'PYTHON3_SIGNING_KEY', secrets.signingKey),
  };
  const keys = {
    ...fileUnlessSet(environment, 'PYTHON3_ADMIN_APIKEY', secrets.adminKey),
    ...fileUnlessSet(environment, 'PYTHON3_DEVELOPER_APIKEY', secrets.developerKey),
  };
  const graceMs = config.drainSeconds * 1_000 + 2 * STOP_GRACE_MS;
  const { children } = servers;
  const run = (name: 'api' | 'worker', env: NodeJS.ProcessEnv): void => {
    const args = [COMMAND, name, '--stop-with-parent'];
    const child = new SupervisedProcess({ name, file: process.execPath, args, env, logPath: log(name), report });
    child.start();
    children.push(child);
    stops.unshift(() => child.stop(graceMs));
  };
  report('Starting the API and a worker node …');
  const least = isLoopback(config.host) ? { PYTHON3_ISOLATION: 'C' } : {};
  run('worker', withoutApiKeys({ ...least, ...shared }));
  run('api', { ...shared, ...keys });

  const address = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
  servers.address = address;
  const removeRunFile = writeRunFile(dataDirectory, { address });
  stops.unshift(() => Promise.resolve(removeRunFile()));
  const full = loadConfig({ ...shared, ...keys }).config;
  const lane = full.lanes.includes('default') ? 'default' : (full.lanes[0] ?? 'default');
  const firstJob = await runFirstJob({
    address,
    key: full.developerApiKey,
    lane,
    report,
    failure: () => children.find((child) => child.lastEnd !== undefined)?.lastEnd,
  });
  return {
    config: full,
    address,
    secrets,
    redisUrl,
    signInPath: createSignInPath(new KeyRing(full.signingKey, full.signingKeys), 'admin'),
    developerKey: keyForShell(environment, keys),
    lane,
    firstJob,
    isolationLevel: await readIsolationLevel(address),
  };
}

/** As a part of a text in double quotes. */
function keyForShell(environment: Environment, keys: Readonly<Record<string, string>>): string {
  const name = 'PYTHON3_DEVELOPER_APIKEY';
  const path = keys[`${name}_FILE`] ?? environment[`${name}_FILE`];
  return environment[name] || !path ? `$${name}` : `$(cat '${resolve(path).replaceAll("'", "'\\''")}')`;
}

/** Somebody trying it on a machine of their own gets less than B with a warning instead of a refusal. */
const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');

async function readIsolationLevel(address: string): Promise<IsolationLevel | undefined> {
  try {
    const { isolationLevel } = (await (await fetch(`${address}/health`)).json()) as { isolationLevel: IsolationLevel | null };
    return isolationLevel ?? undefined;
  } catch {
    // Only to be shown: what is up is not stopped for it.
    return undefined;
  }
}

async function bringUpRedis(
  { dataDirectory, report }: StartClusterOptions,
  { durability }: Config,
  logPath: string,
  secrets: SecretFiles,
): Promise<OwnRedis> {
  const command = await timed('Redis', () => findOrInstallRedis({ dataDirectory, report }));
  report('Starting Redis …');
  return startOwnRedis({ command, dataDirectory, logPath, password: readSecret(secrets.redisPassword), durability, report });
}

function fileUnlessSet(environment: Environment, name: string, path: string): Record<string, string> {
  return environment[name] || environment[`${name}_FILE`] ? {} : { [`${name}_FILE`]: path };
}

/** A worker node needs no API key, and has none that code running on it could find. */
function withoutApiKeys(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !/_APIKEY(_FILE)?$/.test(name)));
}

async function stopInOrder(stops: readonly (() => Promise<void>)[]): Promise<void> {
  for (const stop of stops) await stop();
}
