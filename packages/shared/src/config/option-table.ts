import { hostname } from 'node:os';
import { alertOptions } from './alert-options';
import { httpOptions } from './http-options';
import { isolationOptions } from './isolation-options';
import { logOptions } from './log-options';
import { ALWAYS_BLOCKED_MODULES } from './module-lists';
import { metricsOptions } from './metrics-options';
import { boolean, integerBetween, listOf, matching, oneOf, option, readableFile, redisUrl, secretOfAtLeast, type Option } from './option';
import { quarantineOptions } from './quarantine-options';
import { telemetryOptions } from './telemetry-options';
import { timeZone } from './time-zone';

/** Lane names also stand in Redis keys and job ids, hence the narrow alphabet. */
export const LANE_PATTERN = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
export const SLOTS_LEAST = 3;
export const SLOTS_MOST = 20;

const MODULE_NAME = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/;
const defaultNodeName =
  hostname()
    .toLowerCase()
    .replace(/[^a-z0-9.-]/g, '-')
    .slice(0, 63) || 'node';

/**
 * Every setting of the product. `docs/configuration.md` is generated from this table, and nothing else reads the
 * environment. Property names carry the unit; environment names are the predecessor's property names, upper-cased.
 */
export const optionTable = {
  port: option({
    name: 'PORT', parse: integerBetween(0, 65_535), default: 8311, accepts: 'port; 0 picks a free one',
    description: 'Port the API listens on.',
  }),
  host: option({
    name: 'HOST', parse: matching(/^[A-Za-z0-9.:_-]+$/, 'a host name or address'), default: '127.0.0.1', accepts: 'host name or address',
    description: 'Address the API listens on.',
  }),
  redisUrl: option({
    name: 'REDIS_URL', parse: redisUrl, default: '', defaultText: 'none: `start` runs its own Redis', secret: true,
    accepts: '`redis://`, `redis+sentinel://` or `redis+cluster://` URL; `rediss` for TLS',
    description: 'Redis shared by all API replicas and worker nodes. Required by `api` and `worker`. Forms: [Deployment](deployment.md#redis).',
  }),
  redisTlsCa: option({
    name: 'REDIS_TLS_CA', parse: readableFile, default: '', defaultText: 'the authorities Node trusts', accepts: 'absolute path of a PEM file',
    description: 'Authorities that may have signed the certificates of Redis and its sentinels.',
  }),
  redisTlsCert: option({
    name: 'REDIS_TLS_CERT', parse: readableFile, default: '', defaultText: 'none', accepts: 'absolute path of a PEM file',
    description: 'Certificate shown to a Redis that asks for one; with `REDIS_TLS_KEY`.',
  }),
  redisTlsKey: option({
    name: 'REDIS_TLS_KEY', parse: readableFile, default: '', defaultText: 'none', accepts: 'absolute path of a PEM file',
    description: 'Key of `REDIS_TLS_CERT`.',
  }),
  redisTlsVerify: option({
    name: 'REDIS_TLS_VERIFY', parse: boolean, default: true, accepts: '`true` or `false`',
    description: 'Whether the certificate of Redis must be signed by a known authority and name its host. `false` lets anybody on the way read and change everything.',
  }),
  durability: option({
    name: 'PYTHON3_DURABILITY', parse: oneOf('process', 'disk', 'replica'), default: 'process', accepts: '`process`, `disk` or `replica`',
    description: 'What an accepted job survives: a crash of Redis, a power failure (Redis must sync every write), or the loss of the primary (a replica confirms acceptance and starts, else `DURABILITY_UNAVAILABLE`). Set it alike everywhere; see [Operations](operations.md#durability).',
  }),
  namespace: option({
    name: 'PYTHON3_NAMESPACE', parse: matching(/^[A-Za-z0-9_-]{1,32}$/, '1 to 32 letters, digits, _ or -'), default: 'python3', accepts: '1 to 32 letters, digits, `_`, `-`',
    description: 'First part of every Redis key, so that clusters can share one Redis.',
  }),
  revision: option({
    name: 'PYTHON3_REVISION', parse: matching(/^[A-Za-z0-9._+-]{0,64}$/, 'at most 64 letters, digits, dots, _, + or -'), default: '', defaultText: '–', accepts: 'at most 64 letters, digits, `.`, `_`, `+`, `-`',
    description: 'The commit or build this installation was made of; `GET /api/v1/version` shows it.',
  }),
  nodeName: option({
    name: 'PYTHON3_NODE_NAME', parse: matching(/^[A-Za-z0-9._-]{1,63}$/, '1 to 63 letters, digits, dots, _ or -'), default: defaultNodeName, defaultText: 'the host name', accepts: '1 to 63 letters, digits, `.`, `_`, `-`',
    description: 'Name of this worker node in records and logs; the process adds a random part of its own.',
  }),
  poolMin: option({
    name: 'PYTHON3_POOL_MIN', aliases: ['PYTHON3_POOLSIZE'], parse: integerBetween(SLOTS_LEAST, SLOTS_MOST), default: SLOTS_LEAST, accepts: '3 to 20 slots',
    description: 'Slots a worker node always keeps.',
  }),
  poolMax: option({
    name: 'PYTHON3_POOL_MAX', parse: integerBetween(SLOTS_LEAST, SLOTS_MOST), default: SLOTS_LEAST, defaultText: '2 × cores, or as many as memory has room for, if those are less; 3 to 20', accepts: '3 to 20 slots',
    description: 'Slots a worker node may grow to while jobs wait. At least `PYTHON3_POOL_MIN`. Room: the memory of the host, unit or container (`MemoryMax=`, `mem_limit`) less 512 MiB, by `PYTHON3_MAX_MEMORY_MB`.',
  }),
  poolIdleSeconds: option({
    name: 'PYTHON3_POOL_IDLE_SECONDS', parse: integerBetween(1, 86_400), default: 60, accepts: 'seconds, 1 to 86,400',
    description: 'How long a slot above `PYTHON3_POOL_MIN` stays unused before it is given up.',
  }),
  warmMemoryMb: option({
    name: 'PYTHON3_WARM_MEMORY_MB', parse: integerBetween(0, 1_048_576), default: 512, accepts: 'MiB, 0 to 1,048,576',
    description: 'Memory of their own that the children kept for warm jobs may hold together on a worker node; beyond it those unused longest end. 0 keeps none.',
  }),
  warmIdleSeconds: option({
    name: 'PYTHON3_WARM_IDLE_SECONDS', parse: integerBetween(1, 86_400), default: 60, accepts: 'seconds, 1 to 86,400',
    description: 'How long a kept child stays unused before it is ended.',
  }),
  warmMaxUses: option({
    name: 'PYTHON3_WARM_MAX_USES', parse: integerBetween(1, 1_000_000), default: 1_000, accepts: '1 to 1,000,000',
    description: 'Jobs after which a kept child is ended, so that what leaks slowly ends too.',
  }),
  warmAuto: option({
    name: 'PYTHON3_WARM_AUTO', parse: boolean, default: false, accepts: '`true` or `false`',
    description: 'Whether jobs that name no `isolation` become warm when the same owner’s same code comes for the third time within 60 seconds.',
  }),
  lanes: option({
    name: 'PYTHON3_LANES', parse: listOf(LANE_PATTERN, 'lane names (a-z, 0-9, -)'), default: ['default'] as readonly string[], accepts: 'comma-separated lane names',
    description: 'Lanes this worker node serves.',
  }),
  timeoutSeconds: option({
    name: 'PYTHON3_TIMEOUT_SECONDS', parse: integerBetween(1, 3_600), default: 30, accepts: 'seconds, 1 to 3,600',
    description: 'Wall-clock limit of a job that names none.',
  }),
  timeoutCeilingSeconds: option({
    name: 'PYTHON3_TIMEOUT_CEILING_SECONDS', parse: integerBetween(1, 86_400), default: 3_600, accepts: 'seconds, 1 to 86,400',
    description: 'Highest wall-clock limit a job may ask for.',
  }),
  maxMemoryMb: option({
    name: 'PYTHON3_MAX_MEMORY_MB', parse: integerBetween(32, 65_536), default: 512, accepts: 'MiB, 32 to 65,536',
    description: 'Memory limit of a job that names none.',
  }),
  memoryCeilingMb: option({
    name: 'PYTHON3_MEMORY_CEILING_MB', parse: integerBetween(32, 65_536), default: 2_048, accepts: 'MiB, 32 to 65,536',
    description: 'Highest memory limit a job may ask for.',
  }),
  maxCpuSeconds: option({
    name: 'PYTHON3_MAX_CPU_SECONDS', parse: integerBetween(1, 86_400), default: 60, accepts: 'seconds, 1 to 86,400',
    description: 'CPU-time limit of a job that names none, over all its processes.',
  }),
  cpuCeilingSeconds: option({
    name: 'PYTHON3_CPU_CEILING_SECONDS', parse: integerBetween(1, 86_400), default: 600, accepts: 'seconds, 1 to 86,400',
    description: 'Highest CPU-time limit a job may ask for.',
  }),
  maxOutputBytes: option({
    name: 'PYTHON3_MAX_OUTPUT_BYTES', parse: integerBetween(1_024, 67_108_864), default: 1_048_576, accepts: 'bytes, 1,024 to 67,108,864',
    description: 'How much of each of stdout and stderr a job keeps; the rest is drained, dropped and marked `truncated`.',
  }),
  maxValueBytes: option({
    name: 'PYTHON3_MAX_VALUE_BYTES', parse: integerBetween(1_024, 67_108_864), default: 16_777_216, accepts: 'bytes, 1,024 to 67,108,864',
    description: 'Largest value a job may return, as JSON.',
  }),
  ...httpOptions,
  maxFileBytes: option({
    name: 'PYTHON3_MAX_FILE_BYTES', parse: integerBetween(4_096, 1_099_511_627_776), default: 67_108_864, accepts: 'bytes, 4,096 to 1 TiB',
    description: 'Largest file a job may write.',
  }),
  maxScratchMb: option({
    name: 'PYTHON3_MAX_SCRATCH_MB', parse: integerBetween(1, 1_048_576), default: 512, accepts: 'MiB, 1 to 1,048,576',
    description: 'How much a job’s scratch folder may hold, files without a name included; looked at twice a second, and a job over it is ended.',
  }),
  maxOpenFiles: option({
    name: 'PYTHON3_MAX_OPEN_FILES', parse: integerBetween(16, 65_536), default: 256, accepts: '16 to 65,536',
    description: 'Descriptors a process of a job may hold.',
  }),
  maxProcesses: option({
    name: 'PYTHON3_MAX_PROCESSES', parse: integerBetween(1, 65_536), default: 256, accepts: '1 to 65,536',
    description: 'Processes and threads that the jobs of a mode may have together on a worker node (does not bind root).',
  }),
  restrictedModules: option({
    name: 'PYTHON3_RESTRICTED_MODULES', parse: listOf(MODULE_NAME, 'Python module names'), default: [] as readonly string[], defaultText: 'none', accepts: 'comma-separated module names',
    description: 'Modules RESTRICTED code may import besides the built-in allow-list.',
  }),
  blockedModules: option({
    name: 'PYTHON3_BLOCKED_MODULES', parse: listOf(MODULE_NAME, 'Python module names'), default: ALWAYS_BLOCKED_MODULES, accepts: 'comma-separated module names',
    description: 'Modules user code may not import itself in any mode.',
  }),
  preload: option({
    name: 'PYTHON3_PRELOAD', parse: listOf(MODULE_NAME, 'Python module names'), default: ['json', 'math', 'datetime', 'collections', 're', 'statistics'] as readonly string[], accepts: 'comma-separated module names',
    description: 'Modules a template imports once, before it forks.',
  }),
  templateMaxForks: option({
    name: 'PYTHON3_TEMPLATE_MAX_FORKS', parse: integerBetween(0, 1_000_000_000), default: 100_000, accepts: '0 to 1,000,000,000',
    description: 'Children after which a template is replaced by a new one; 0 for never. Looked at with each health check, like the next two.',
  }),
  templateMaxAgeSeconds: option({
    name: 'PYTHON3_TEMPLATE_MAX_AGE_SECONDS', parse: integerBetween(0, 31_536_000), default: 86_400, accepts: 'seconds, 0 to 31,536,000',
    description: 'Age at which a template is replaced; 0 for never. Its children share one hash seed, which ends with it.',
  }),
  templateMaxGrowthMb: option({
    name: 'PYTHON3_TEMPLATE_MAX_GROWTH_MB', parse: integerBetween(0, 65_536), default: 64, accepts: 'MiB, 0 to 65,536',
    description: 'Growth of its memory since it was ready at which a template is replaced; 0 for never.',
  }),
  ...isolationOptions,
  pythonPath: option({
    name: 'PYTHON3_PATH', parse: matching(/^\/\S+$/, 'an absolute path'), default: '', defaultText: 'the first Python ≥ 3.11 found', accepts: 'absolute path',
    description: 'Python interpreter of the slots.',
  }),
  dataDirectory: option({
    name: 'PYTHON3_DATA_DIRECTORY',
    parse: matching(/^\/\S*$/, 'an absolute path'),
    default: '',
    defaultText: '`.data` in the clone',
    accepts: 'absolute path',
    description: 'What `start` keeps: secrets, Redis’ files, logs, and programs it had to unpack.',
  }),
  timeZone: option({
    name: 'TZ', parse: timeZone, default: '', defaultText: 'the host’s', accepts: 'time zone name',
    description: 'Local time of the code that jobs run. One that the host does not know stops the start.',
  }),
  runDirectory: option({
    name: 'PYTHON3_RUN_DIRECTORY', parse: matching(/^\/\S*$/, 'an absolute path'), default: '', defaultText: 'the system’s temporary directory', accepts: 'absolute path',
    description: 'Where a worker node keeps its sockets and scratch folders while it runs.',
  }),
  auth: option({
    name: 'PYTHON3_AUTH', parse: oneOf('keys', 'loopback-open'), default: 'keys', accepts: '`keys` or `loopback-open`',
    description: '`loopback-open` lets requests from this machine without a key act as `developer`, as long as no proxy or foreign web page is involved.',
  }),
  adminApiKey: option({
    name: 'PYTHON3_ADMIN_APIKEY', parse: secretOfAtLeast(32), default: '', defaultText: 'none', secret: true, accepts: 'at least 32 characters',
    description: 'Key with role `admin`.',
  }),
  developerApiKey: option({
    name: 'PYTHON3_DEVELOPER_APIKEY', parse: secretOfAtLeast(32), default: '', defaultText: 'none', secret: true, accepts: 'at least 32 characters',
    description: 'Key with role `developer`.',
  }),
  signingKey: option({
    name: 'PYTHON3_SIGNING_KEY', parse: secretOfAtLeast(32), default: '', defaultText: 'none', secret: true, accepts: 'at least 32 characters, e.g. from `openssl rand -hex 32`',
    description: 'Master key from which all signing keys are derived; the same on all hosts. Required by `api` and `worker`.',
  }),
  signingKeys: option({
    name: 'PYTHON3_SIGNING_KEYS', parse: listOf(/^.{32,}$/, 'keys of at least 32 characters'), default: [] as readonly string[], defaultText: 'none', secret: true, accepts: 'comma-separated keys',
    description: 'Former master keys that are still believed while a rotation is under way; never used to sign.',
  }),
  legacyResult: option({
    name: 'PYTHON3_LEGACY_RESULT', parse: oneOf('json', 'string'), default: 'json', accepts: '`json` or `string`',
    description: 'Whether `result` on the predecessor’s routes is real JSON or its text; the header `X-Python3-Legacy-Result` decides per request.',
  }),
  resultTtlSeconds: option({
    name: 'PYTHON3_RESULT_TTL_SECONDS', parse: integerBetween(60, 604_800), default: 3_600, accepts: 'seconds, 60 to 604,800',
    description: 'How long an outcome can be fetched.',
  }),
  resultMaxBytes: option({
    name: 'PYTHON3_RESULT_MAX_BYTES', parse: integerBetween(1_048_576, 1_099_511_627_776), default: 50_331_648, accepts: 'bytes, 1 MiB to 1 TiB',
    description: 'How much Redis memory finished jobs may hold in all; beyond it the oldest of the owners that hold most are removed before their time (`RESULT_REMOVED`). Set it alike on all worker nodes.',
  }),
  resultMaxBytesPerOwner: option({
    name: 'PYTHON3_RESULT_MAX_BYTES_PER_OWNER', parse: integerBetween(0, 1_099_511_627_776), default: 0, defaultText: '0: no more than all together', accepts: 'bytes, 0 to 1 TiB',
    description: 'How much of that the finished jobs of one owner may hold, even while there is room. Set it alike on all worker nodes.',
  }),
  jobValiditySeconds: option({
    name: 'PYTHON3_JOB_VALIDITY_SECONDS', parse: integerBetween(60, 604_800), default: 86_400, accepts: 'seconds, 60 to 604,800',
    description: 'How long the signature of an asynchronous job is believed, that is, how long it may wait once its delay is over.',
  }),
  delayCeilingSeconds: option({
    name: 'PYTHON3_DELAY_CEILING_SECONDS', parse: integerBetween(1, 2_592_000), default: 604_800, accepts: 'seconds, 1 to 2,592,000',
    description: 'Longest `delayMs` a job may ask for.',
  }),
  queueWaitSeconds: option({
    name: 'PYTHON3_QUEUE_WAIT_SECONDS', parse: integerBetween(1, 3_600), default: 30, accepts: 'seconds, 1 to 3,600',
    description: 'How long a job of the predecessor’s routes may wait for a worker node before the caller is told `POOL_BUSY`.',
  }),
  borrowWaitSeconds: option({
    name: 'PYTHON3_BORROW_WAIT_SECONDS', parse: integerBetween(1, 300), default: 30, accepts: 'seconds, 1 to 300',
    description: 'How long a job that reached a worker node may wait there for a slot (`POOL_BUSY`).',
  }),
  queueMaxJobs: option({
    name: 'PYTHON3_QUEUE_MAX_JOBS', parse: integerBetween(1, 100_000_000), default: 100_000, accepts: 'jobs, 1 to 100,000,000',
    description: 'Waiting jobs per lane from which on no more are accepted (`QUEUE_FULL`). Those with `delayMs` are refused once waiting and delayed jobs together are as many; delayed ones do not count for others.',
  }),
  queueMaxBytes: option({
    name: 'PYTHON3_QUEUE_MAX_BYTES', parse: integerBetween(1_024, 1_099_511_627_776), default: 268_435_456, accepts: 'bytes, 1,024 to 1 TiB',
    description: 'Payload bytes of all accepted and not yet finished jobs, over all lanes, from which on no more are accepted (`QUEUE_FULL`).',
  }),
  idempotencyTtlSeconds: option({
    name: 'PYTHON3_IDEMPOTENCY_TTL_SECONDS', parse: integerBetween(60, 604_800), default: 86_400, accepts: 'seconds, 60 to 604,800',
    description: 'How long an `Idempotency-Key` is remembered.',
  }),
  eventsMaxStreams: option({
    name: 'PYTHON3_EVENTS_MAX_STREAMS', parse: integerBetween(1, 100_000), default: 1_000, accepts: '1 to 100,000',
    description: 'Event streams an API replica keeps open at once (`EVENTS_FULL`).',
  }),
  eventsMaxPerOwner: option({
    name: 'PYTHON3_EVENTS_MAX_PER_OWNER', parse: integerBetween(1, 100_000), default: 200, accepts: '1 to 100,000',
    description: 'Event streams an API replica keeps open at once for callers of one owner (`EVENTS_PER_OWNER`).',
  }),
  eventsHeartbeatSeconds: option({
    name: 'PYTHON3_EVENTS_HEARTBEAT_SECONDS', parse: integerBetween(1, 300), default: 15, accepts: 'seconds, 1 to 300',
    description: 'How often an event stream has a comment line, so that proxies do not take it for dead.',
  }),
  eventsStallSeconds: option({
    name: 'PYTHON3_EVENTS_STALL_SECONDS', parse: integerBetween(1, 3_600), default: 30, accepts: 'seconds, 1 to 3,600',
    description: 'How long a reader of an event stream may take nothing of what is there for it before it is disconnected.',
  }),
  healthCheckSeconds: option({
    name: 'PYTHON3_HEALTH_CHECK_SECONDS', parse: integerBetween(1, 3_600), default: 30, accepts: 'seconds, 1 to 3,600',
    description: 'How often a worker node runs a probe through every template.',
  }),
  drainSeconds: option({
    name: 'PYTHON3_DRAIN_SECONDS', parse: integerBetween(0, 3_600), default: 35, accepts: 'seconds, 0 to 3,600',
    description: 'How long a stopping process lets running work finish: longer than `PYTHON3_TIMEOUT_SECONDS`, so that no job is cut short by a stop. Keep it at least 10 s below the orchestrator’s grace period.',
  }),
  ...quarantineOptions,
  ...alertOptions,
  ...telemetryOptions,
  ...metricsOptions,
  ...logOptions,
} as const; // prettier-ignore

type ParsedValue<O> = O extends Option<infer T> ? T : never;

/** The whole configuration of a process, frozen. */
export type Config = { readonly [K in keyof typeof optionTable]: ParsedValue<(typeof optionTable)[K]> };
