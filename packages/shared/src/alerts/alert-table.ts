import { optionTable, type Config } from '../config/option-table';

export type AlertSeverity = 'WARNING' | 'CRITICAL';

export interface AlertDefinition {
  readonly severity: AlertSeverity;
  /** When it fires, in words. */
  readonly condition: string;
  /** What of the time before now the condition looks at. */
  readonly window: string;
  /** The setting with its threshold; null: there is nothing to set. */
  readonly setting: keyof Config | null;
  /** What an alert of this name is about, one each; null: the cluster. */
  readonly subject: string | null;
  /** How long its condition must hold before it fires; absent: at once. */
  readonly grace?: 'alertLaneGraceSeconds';
  /** When it resolves, where that is not `alertClearSeconds` after the condition was last true. */
  readonly resolves?: string;
  /** What to do, for whoever is woken by it. */
  readonly advice: string;
}

/**
 * Every alert there is. `docs/alerts.md` is generated from this table; what each condition computes stands in
 * `packages/api/src/alerts/alert-conditions.ts`. Names are never changed; the first three are the predecessor's.
 */
export const alertTable = {
  POOL_UTILIZATION_CRITICAL: {
    severity: 'CRITICAL', setting: 'alertPoolCriticalPercent', window: '1 minute', subject: null,
    condition: 'Average slot use across live worker nodes (`PYTHON3_POOL_MAX` slots each) was above the threshold.',
    advice: 'Jobs wait for slots. Add worker nodes, or raise `PYTHON3_POOL_MAX`; look for jobs that only wait.',
  },
  POOL_UTILIZATION_HIGH: {
    severity: 'WARNING', setting: 'alertPoolHighPercent', window: '1 minute', subject: null,
    condition: 'Average slot use was above the lower threshold, and not above the higher one.',
    advice: 'Watch it; plan for more worker nodes.',
  },
  FAILURE_RATE_HIGH: {
    severity: 'WARNING', setting: 'alertFailurePercent', window: '5 minutes', subject: null,
    condition: 'The share of runs that failed, crashed or broke a limit was above the threshold. At least `PYTHON3_ALERT_FAILURE_JOBS` runs are needed.',
    advice: 'Look at `GET /api/v1/jobs?status=failed`: one program, one caller, or all of them.',
  },
  QUEUE_AGE_HIGH: {
    severity: 'WARNING', setting: 'alertQueueAgeSeconds', window: 'now', subject: 'lane',
    condition: 'A job that could start has waited longer than the threshold.',
    advice: 'The lane’s worker nodes cannot keep up, or hang. Add nodes; look at their logs.',
  },
  QUEUE_DEPTH_HIGH: {
    severity: 'WARNING', setting: 'alertQueueDepthPercent', window: 'now', subject: 'lane',
    condition: 'More jobs wait than this share of `PYTHON3_QUEUE_MAX_JOBS`, at which callers are refused.',
    advice: 'Add worker nodes, or find out who sends so much.',
  },
  LANE_WITHOUT_WORKER: {
    severity: 'CRITICAL', setting: 'alertLaneGraceSeconds', window: 'now; refused callers of 1 minute', subject: 'lane',
    condition: 'For `PYTHON3_ALERT_LANE_GRACE_SECONDS`, no live worker node has served a lane that has unfinished jobs, or that callers were refused for and that was served before.',
    grace: 'alertLaneGraceSeconds',
    advice: 'Start a worker node with the lane in `PYTHON3_LANES`.',
  },
  WORKER_NODE_LOST: {
    severity: 'WARNING', setting: null, window: '5 seconds', subject: 'node',
    condition: 'A worker node stopped sending heartbeats without shutting down.',
    resolves: 'a node of that name lives, or an hour has passed',
    advice: 'See why it died (out of memory, host, network). Its jobs run elsewhere or are `lost`, as they asked for.',
  },
  BREAKER_OPEN: {
    severity: 'CRITICAL', setting: null, window: '1 minute', subject: 'replica',
    condition: 'An API replica’s breaker around Redis was open. Told once it is closed again: nothing can be stored while Redis is away.',
    advice: 'Look at Redis and the network between. While it lasts: `/health/ready` and the logs tell.',
  },
  PROGRAM_QUARANTINED: {
    severity: 'WARNING', setting: 'quarantineBreaches', window: '`PYTHON3_QUARANTINE_WINDOW_SECONDS`', subject: 'owner',
    condition: 'Programs of an owner (`everyone`: programs that callers share) are quarantined.',
    advice: '`GET /api/v1/quarantine` says which and why; mend the program, or release it.',
  },
  JOB_SIGNATURE_REFUSED: {
    severity: 'CRITICAL', setting: null, window: '5 minutes', subject: 'lane',
    condition: 'A worker node refused a queued job: changed, signed by somebody else, moved from another lane, or played again.',
    advice: 'Somebody else can write to Redis, or hosts have different signing keys. See the security model.',
  },
  RECORD_REFUSED: {
    severity: 'CRITICAL', setting: null, window: '5 minutes', subject: 'code',
    condition: 'Another record in Redis (an outcome, a job’s record, a quarantine entry) was not signed by this cluster.',
    advice: 'As above. After a rotation: is the old key in `PYTHON3_SIGNING_KEYS` everywhere?',
  },
  RESULTS_REMOVED_EARLY: {
    severity: 'WARNING', setting: 'resultMaxBytes', window: '5 minutes', subject: null,
    condition: 'Outcomes were removed before their time, as all together hold more than the setting says, or those of one owner more than `PYTHON3_RESULT_MAX_BYTES_PER_OWNER`.',
    advice: 'Whoever asks for one gets 410 `RESULT_REMOVED`. Raise the setting as far as Redis has memory, or ask for shorter `resultTtlSeconds` and smaller results.',
  },
  SIGNING_KEY_MISMATCH: {
    severity: 'CRITICAL', setting: null, window: 'now', subject: 'node',
    condition: 'A worker node has not got the key that the cluster signs with. Jobs are handed back, and wait for other nodes.',
    advice: 'Give it the cluster’s `PYTHON3_SIGNING_KEY`; during a rotation, both keys. `GET /api/v1/workers` has the key ids.',
  },
  P95_OVER_OBJECTIVE: {
    severity: 'WARNING', setting: 'alertP95Ms', window: '5 minutes', subject: null,
    condition: 'Of at least `PYTHON3_ALERT_FAILURE_JOBS` runs, 5 % took longer than the setting says. 0: never.',
    advice: 'Look for slow programs and hosts; where jobs are meant to be long, raise the objective.',
  },
  REDIS_MEMORY_HIGH: {
    severity: 'CRITICAL', setting: 'alertRedisMemoryPercent', window: 'now', subject: null,
    condition: 'Redis uses a larger share of its `maxmemory` than the threshold. At 90 % jobs are refused (`QUEUE_FULL`).',
    advice: 'Lower `PYTHON3_RESULT_MAX_BYTES` or the queues’ bounds, or give Redis more.',
  },
  WORKER_DISK_LOW: {
    severity: 'WARNING', setting: 'alertDiskFreePercent', window: 'now', subject: 'node',
    condition: 'The file system of a worker node’s run directory has less free space than the threshold.',
    advice: 'Make room: scratch folders of jobs stand there.',
  },
  CLOCK_SKEW: {
    severity: 'WARNING', setting: 'alertClockSkewMs', window: 'now', subject: 'node',
    condition: 'A host’s clock and the clock of Redis differ by more than the threshold.',
    advice: 'Mend time synchronisation: validity of jobs, delays and expiry go by these clocks.',
  },
} as const satisfies Record<string, AlertDefinition>; // prettier-ignore

export type AlertName = keyof typeof alertTable;

export const ALERT_NAMES = Object.keys(alertTable) as readonly AlertName[];

export const alertDefinition = (name: AlertName): AlertDefinition => alertTable[name];

/** The environment name of an alert's threshold. */
export const thresholdNameOf = (name: AlertName): string | null => {
  const { setting } = alertDefinition(name);
  return setting === null ? null : optionTable[setting].name;
};
