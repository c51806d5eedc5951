import { readFileSync } from 'node:fs';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { Config } from '../config/option-table';
import { parseRedisTarget, type RedisTarget } from '../config/redis-target';
import { stayConnected } from './stay-connected';

/**
 * Two kinds of connection, as BullMQ demands opposite things of a producer and a consumer:
 * `fail-fast` for whoever has a caller waiting (no offline queue, a command times out), `patient` for whoever can only
 * wait for Redis to come back (BullMQ's Worker insists on unlimited retries).
 */
export type ConnectionProfile = 'fail-fast' | 'patient';

export interface ConnectOptions {
  readonly profile: ConnectionProfile;
  /** Shown in Redis' CLIENT LIST. */
  readonly name: string;
  readonly onError: (error: Error) => void;
}

/** Where Redis is, and how it proves to be it. */
export type RedisSettings = Pick<Config, 'redisUrl'> &
  Partial<Pick<Config, 'redisTlsCa' | 'redisTlsCert' | 'redisTlsKey' | 'redisTlsVerify'>>;

/** Without what ioredis types by literals only. */
type ServerOptions = Omit<RedisOptions, 'replyMapping' | 'retryStrategy' | 'db'>;

/** How long a command of a waiting caller may take before Redis counts as away. */
const COMMAND_TIMEOUT_MS = 2_000;

/** How soon a server that loads its data is asked again. ioredis goes by what is left by the server's own estimate, and up to 10 s. */
const LOADING_RETRY_MS = 250;

/** Of a Cluster: how long a command that may be sent again waits for the next try. */
const RESEND_MS = 100;

/** Full jitter: processes that lost Redis together must not come back together. */
export const reconnectDelayMs = (attempt: number): number => 50 + Math.random() * Math.min(1_000, 50 * 2 ** Math.min(attempt, 10));

/**
 * Connects to one server, to the primary that sentinels name, or to a Cluster. A Cluster is handed out as `Redis` because it
 * takes the same commands; what only a server has is used in this file alone (`mastersOf` gives the servers).
 */
export function connectRedis(settings: RedisSettings | string, options: ConnectOptions): Redis {
  const { redisUrl, ...files } = typeof settings === 'string' ? { redisUrl: settings } : settings;
  const parsed = parseRedisTarget(redisUrl);
  if (!parsed.ok) throw new Error(`REDIS_URL ${parsed.problem}`);
  const target = parsed.value;
  const common = { ...commonOptions(target, options), ...(target.tls ? { tls: readTls(files) } : {}) };
  const redis = target.kind === 'cluster' ? (connectCluster(target, common, options) as unknown as Redis) : connectServer(target, common);
  // Without a listener an unreachable Redis would end the process.
  redis.on('error', (error: Error) => options.onError(withoutArguments(error)));
  return redis;
}

/** A refused AUTH carries what it was asked with, here and where commands that waited for it are refused. */
function withoutArguments(error: Error & { command?: { args?: unknown } }): Error {
  if (error.command !== undefined) delete error.command.args;
  return error;
}

/** The servers that take writes: one, or those of a Cluster. */
export const mastersOf = (redis: Redis): Redis[] => (isCluster(redis) ? (redis as unknown as Cluster).nodes('master') : [redis]);

export const isCluster = (redis: Redis): boolean => 'nodes' in redis;

function commonOptions({ username, password }: RedisTarget, { profile, name }: ConnectOptions): ServerOptions {
  return {
    connectionName: name,
    // BullMQ 6 and our scripts read the classic reply shapes.
    protocol: 2,
    connectTimeout: 5_000,
    maxLoadingRetryTime: LOADING_RETRY_MS,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(profile === 'fail-fast'
      ? {
          maxRetriesPerRequest: 0,
          enableOfflineQueue: false,
          commandTimeout: COMMAND_TIMEOUT_MS,
          autoResendUnfulfilledCommands: false,
          reconnectOnError: (error) => refusesWrites(error),
        }
      : { maxRetriesPerRequest: null, reconnectOnError: (error) => (refusesWrites(error) ? RECONNECT_AND_RESEND : false) }),
  };
}

const RECONNECT_AND_RESEND = 2;

/** A primary that became a replica keeps its connections: whoever reconnects is led to the new one. It did nothing. */
const refusesWrites = (error: Error): boolean => /^(?:READONLY|UNBLOCKED)\b/.test(error.message);

function readTls({
  redisTlsCa = '',
  redisTlsCert = '',
  redisTlsKey = '',
  redisTlsVerify = true,
}: Omit<RedisSettings, 'redisUrl'>): TlsOptions {
  const read = (name: string, path: string): TlsOptions => (path === '' ? {} : { [name]: readFileSync(path) });
  return { ...read('ca', redisTlsCa), ...read('cert', redisTlsCert), ...read('key', redisTlsKey), rejectUnauthorized: redisTlsVerify };
}

function connectServer(target: RedisTarget, common: ServerOptions): Redis {
  const place: ServerOptions = target.kind === 'sentinel' ? sentinelOptions(target, common) : { ...target.hosts[0] };
  const redis = new Redis({ ...common, ...place, db: target.database, retryStrategy: reconnectDelayMs });
  writeOncePerTurn(redis);
  stayConnected(redis, reconnectDelayMs);
  return redis;
}

function sentinelOptions({ hosts, masterName, sentinelUsername, sentinelPassword }: RedisTarget, { tls }: ServerOptions): ServerOptions {
  return {
    sentinels: hosts.map((host) => ({ ...host })),
    name: masterName,
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    sentinelRetryStrategy: reconnectDelayMs,
    sentinelReconnectStrategy: reconnectDelayMs,
    // Sentinels tell of a failover; a primary that hangs would otherwise keep its connections.
    failoverDetector: true,
  };
}

/**
 * A lane's keys live on one node. What was sent to a node that went away may have been done: a fail-fast connection reports
 * that, a patient one sends it again until a replica has taken over, as it does with one server.
 */
function connectCluster(target: RedisTarget, common: ServerOptions, { profile }: ConnectOptions): Cluster {
  const isPatient = profile === 'patient';
  const cluster = new Cluster(
    target.hosts.map((host) => ({ ...host })),
    {
      redisOptions: common,
      clusterRetryStrategy: reconnectDelayMs,
      retryDelayOnFailover: isPatient ? RESEND_MS : 0,
      retryDelayOnClusterDown: isPatient ? RESEND_MS : 0,
      maxRedirections: isPatient ? Number.MAX_SAFE_INTEGER : 4,
      slotsRefreshTimeout: 2_000,
      // Names stay names, so that certificates can be checked against them.
      dnsLookup: (address, callback) => callback(null, address),
    },
  );
  cluster.on('+node', (node: Redis) => {
    writeOncePerTurn(node);
    // Slots whose node is not connected yet would cost the first caller its time.
    if (node.status === 'wait') node.connect().catch(() => undefined);
  });
  if (!isPatient) refuseWhileAway(cluster);
  return cluster;
}

/**
 * A Cluster without offline queue refuses what its nodes could still take; with one, callers would wait for ever. Its own
 * questions (`CLUSTER INFO`) are what makes it ready.
 */
function refuseWhileAway(cluster: Cluster): void {
  const sendCommand = cluster.sendCommand.bind(cluster);
  cluster.sendCommand = (command, stream, node) => {
    if (cluster.status === 'ready' || command.name === 'cluster') return sendCommand(command, stream, node);
    command.reject(new Error("Stream isn't writeable: the Cluster is not connected"));
    return command.promise;
  };
}

/**
 * Sends all commands of one event-loop turn with one system call, each with its own result. ioredis' auto-pipelining
 * does the like with an object per turn that knows every script of BullMQ, which costs more than the job's own commands.
 */
function writeOncePerTurn(redis: Redis): void {
  const sendCommand = redis.sendCommand.bind(redis);
  let isCorked = false;
  redis.sendCommand = (command, stream) => {
    const socket = redis.stream as typeof redis.stream | undefined;
    if (!isCorked && socket !== undefined && redis.status === 'ready') {
      isCorked = true;
      socket.cork();
      setImmediate(() => {
        isCorked = false;
        socket.uncork();
      });
    }
    return sendCommand(command, stream);
  };
}
