import type { AlertName } from './alert-table';

/** What stands beside an alert's row of the table, for whoever is woken by it. `docs/alerts/` has one page for each. */
export interface AlertRunbook {
  /** What callers and operators notice of it. */
  readonly noticed: string;
  /** Where to look first, in this order. */
  readonly look: readonly string[];
  readonly steps: readonly string[];
  /** What is well again once it has resolved; `{subject}` is what it was about. */
  readonly well: string;
}

/** Each alert has one; the type says so, and `npm run check` compares the pages. */
export const alertRunbooks: Readonly<Record<AlertName, AlertRunbook>> = {
  POOL_UTILIZATION_CRITICAL: {
    noticed: 'Jobs wait for slots. Callers of the predecessor’s routes may get `POOL_BUSY`.',
    look: ['`npx python3-cluster top`: which nodes are full, and how many jobs wait.', '`GET /api/v1/jobs?state=active`: jobs that run for long.'],
    steps: ['Start another worker node.', 'Raise `PYTHON3_POOL_MAX` where CPU and memory allow it.', 'Shorten jobs that only wait: they hold a slot, too.'],
    well: 'Pool utilization is below the critical threshold again.',
  },
  POOL_UTILIZATION_HIGH: {
    noticed: 'Nothing yet. A little more load makes jobs wait.',
    look: ['`npx python3-cluster top`, over some minutes.', '`GET /api/v1/metrics/keys`: who sends how much.'],
    steps: ['Plan for another worker node.'],
    well: 'Pool utilization is below the threshold again.',
  },
  FAILURE_RATE_HIGH: {
    noticed: 'Callers get Python errors, or their jobs crash or break a limit.',
    look: ['`GET /api/v1/metrics/scripts`: which programs fail, and with which errors.', '`GET /api/v1/jobs?status=failed`: one caller, or all of them.'],
    steps: ['One program: tell whoever wrote it.', 'All programs: look at what they have in common, such as a data source that is away.', 'A file system or a package that is missing on one node: mend that node.'],
    well: 'The failure rate is below the threshold again.',
  },
  QUEUE_AGE_HIGH: {
    noticed: 'Callers wait for their answers; some give up.',
    look: ['`GET /api/v1/metrics/lanes`: how many jobs wait in each lane.', '`GET /api/v1/workers`: nodes of the lane, and whether their slots are in use.', 'The nodes’ logs.'],
    steps: ['Slots full: start another worker node with this lane.', 'Slots free, but nothing taken: look for `REDIS_UNSUITABLE` and `SIGNING_KEY_MISMATCH` in the logs; restart a node that hangs.', 'Urgent jobs that never end keep others waiting: look at priorities.'],
    well: 'No job of lane ‘{subject}’ waits for too long any more.',
  },
  QUEUE_DEPTH_HIGH: {
    noticed: 'Soon callers get `QUEUE_FULL`.',
    look: ['`GET /api/v1/metrics/keys`: who sends so much.', '`GET /api/v1/workers`: nodes of the lane.'],
    steps: ['Start worker nodes.', 'Have the sender send less, or cancel what is not needed.', 'Raise `PYTHON3_QUEUE_MAX_JOBS` where Redis has memory for it.'],
    well: 'The queue of lane ‘{subject}’ has room again.',
  },
  LANE_WITHOUT_WORKER: {
    noticed: 'New jobs of the lane get `NO_WORKER_FOR_LANE`. Those that wait go on waiting.',
    look: ['`GET /api/v1/workers`: which nodes live, and their lanes.', 'The log of the node that served the lane last.', '`systemctl status python3-cluster-worker` on its host.'],
    steps: ['Start a worker node with the lane in `PYTHON3_LANES`.', 'A node that ended with exit code 2 has settings that cannot work: its last lines say which.', 'A lane that nobody needs: cancel its jobs.'],
    well: 'Lane ‘{subject}’ has a worker node again, or nothing waits in it any more.',
  },
  WORKER_NODE_LOST: {
    noticed: 'Its jobs run again on other nodes, or end as `lost`, as they asked for.',
    look: ['The log of the node, and that of the kernel (`journalctl -k`: out of memory).', 'The network between its host and Redis.'],
    steps: ['Start the node again.', 'Out of memory: lower `PYTHON3_POOL_MAX` or `PYTHON3_MAX_MEMORY_MB`.', 'A node that will not come back: its alert ends by itself after an hour.'],
    well: 'A worker node ‘{subject}’ lives again, or it is an hour since it was lost.',
  },
  RESULTS_REMOVED_EARLY: {
    noticed: 'Whoever asks for an older result gets 410 `RESULT_REMOVED`.',
    look: ['`GET /api/v1/metrics/keys`: who sends how much.', 'The `maxmemory` of Redis, and how much of it is used.'],
    steps: ['Ask for smaller results, or a shorter `resultTtlSeconds`.', 'Raise `PYTHON3_RESULT_MAX_BYTES` where Redis has memory for it.', 'One owner alone: raise `PYTHON3_RESULT_MAX_BYTES_PER_OWNER`, or speak with that owner.'],
    well: 'Outcomes stay for as long as they were asked to.',
  },
  BREAKER_OPEN: {
    noticed: 'For a while callers got `QUEUE_UNAVAILABLE`.',
    look: ['The log of Redis: a restart, a slow disk, a failover.', 'The network between the replica and Redis.', '`/health/ready` while it lasts.'],
    steps: ['Mend Redis or the network. Nothing has to be started again here.'],
    well: 'The breaker of replica ‘{subject}’ has been closed for a while: Redis answers.',
  },
  PROGRAM_QUARANTINED: {
    noticed: 'The caller gets `PROGRAM_QUARANTINED` for this program, and for no other.',
    look: ['`GET /api/v1/quarantine` with an admin key: the program’s first line, its last job, when it may be tried again.', '`GET /api/v1/jobs/{id}` of that job: how it ended.'],
    steps: ['Mend the program. Another text is another program, and runs at once.', 'It was not the program’s fault: an admin releases it with `DELETE /api/v1/quarantine/{id}`.', 'Do nothing: when its time is over one job may try it.'],
    well: 'No program of {subject} is quarantined any more.',
  },
  JOB_SIGNATURE_REFUSED: {
    noticed: 'Jobs of the lane end as `rejected`.',
    look: ['The worker nodes’ logs: lines with `"event":"security"` name the job.', '`npx python3-cluster doctor` on each host: the signing key.', 'Who can write to Redis: `ACL LIST`, firewalls.'],
    steps: ['Hosts with different keys: give all of them the same one.', 'Somebody else writes to Redis: shut them out, then change the Redis password and the signing key.'],
    well: 'For five minutes no job of lane ‘{subject}’ was refused for its signature.',
  },
  RECORD_REFUSED: {
    noticed: 'Some outcomes answer `OUTCOME_UNVERIFIED`, or an entry counts as not there.',
    look: ['The log: lines with `"event":"security"` say what was not believed.', 'After a rotation: `PYTHON3_SIGNING_KEYS` on every host.', 'Who can write to Redis.'],
    steps: ['A rotation under way: give every process the former key in `PYTHON3_SIGNING_KEYS`.', 'Somebody else writes to Redis: shut them out, then change the Redis password and the signing key.'],
    well: 'For five minutes every record was believed ({subject}).',
  },
  SIGNING_KEY_MISMATCH: {
    noticed: 'The node takes no job that is signed with the cluster’s key: it hands them back, and they wait for other nodes.',
    look: ['`GET /api/v1/workers`: `signing` has the key ids of each node.', '`npx python3-cluster doctor` on the node’s host.'],
    steps: ['Give the node the cluster’s `PYTHON3_SIGNING_KEY` and start it again.', 'During a rotation: put both keys on every host first, as the security model says.'],
    well: 'Process ‘{subject}’ has the cluster’s signing key, or is gone.',
  },
  P95_OVER_OBJECTIVE: {
    noticed: 'Programs take longer than they should.',
    look: ['`GET /api/v1/metrics/scripts`: which programs are slow.', 'The hosts’ CPU and memory; slow devices that programs wait for.'],
    steps: ['Mend the slow program or device.', 'Move other work off the host.', 'Where jobs are meant to be long, raise `PYTHON3_ALERT_P95_MS`, or set it to 0.'],
    well: '95 % of the runs keep within the objective again.',
  },
  REDIS_MEMORY_HIGH: {
    noticed: 'At 90 % callers get `QUEUE_FULL`.',
    look: ['`GET /api/v1/metrics/lanes`: what waits in each lane.', '`redis-cli INFO memory`, `redis-cli --bigkeys`.'],
    steps: ['Give Redis more `maxmemory`.', 'Lower `PYTHON3_RESULT_MAX_BYTES` or `PYTHON3_RESULT_TTL_SECONDS`.', 'Something else in this Redis: move it away.'],
    well: 'Redis has memory to spare again.',
  },
  WORKER_DISK_LOW: {
    noticed: 'Nothing yet. A full disk makes jobs fail that write files.',
    look: ['`df -h` on the host, of the file system with `PYTHON3_RUN_DIRECTORY`.', 'Log files beside it.'],
    steps: ['Make room, or move `PYTHON3_RUN_DIRECTORY` to a larger file system.'],
    well: 'The file system of ‘{subject}’ has room again.',
  },
  CLOCK_SKEW: {
    noticed: 'Jobs may expire too early or too late, and delays are wrong.',
    look: ['`timedatectl` on the host and on that of Redis.', '`chronyc tracking`, where chrony runs.'],
    steps: ['Mend time synchronisation on the host that is wrong.'],
    well: 'The clock of ‘{subject}’ and that of Redis agree again.',
  },
}; // prettier-ignore

/** What a resolved alert says: not what was wrong, but what is well. */
export const wellAgain = (name: AlertName, subject: string): string => alertRunbooks[name].well.replaceAll('{subject}', subject);

/** Path of an alert's page in the repository; behind the setting's base where there is one. */
export const runbookOf = (name: AlertName, base = ''): string =>
  base === '' ? `docs/alerts/${name}.md` : `${base.replace(/\/+$/, '')}/${name}.md`;
