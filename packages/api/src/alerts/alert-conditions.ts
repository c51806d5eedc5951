import { countedAnd, counted, toSubject, WORKER_GONE_MS, type Alert, type AlertName, type Config } from '@python3-cluster/shared';
import type { LostWorker } from '../cluster/worker-registry';
import type { AlertSignals } from './alert-signals';

/** That a condition is true, and of what. */
export interface Finding {
  readonly name: AlertName;
  /** '' where it is about the cluster. */
  readonly subject: string;
  readonly message: string;
  readonly value: number | null;
}

export type AlertThresholds = Pick<
  Config,
  | 'alertPoolHighPercent' | 'alertPoolCriticalPercent' | 'alertFailurePercent' | 'alertFailureJobs' | 'alertQueueAgeSeconds'
  | 'alertQueueDepthPercent' | 'alertP95Ms' | 'alertRedisMemoryPercent' | 'alertDiskFreePercent' | 'alertClockSkewMs' | 'alertLaneGraceSeconds' | 'queueMaxJobs'
>; // prettier-ignore

/** What stands already: some conditions hold on. */
export type Standing = Pick<Alert, 'name' | 'subject' | 'startedAt' | 'message' | 'value'>;

type Condition = (signals: AlertSignals, thresholds: AlertThresholds, standing: readonly Standing[]) => Finding[];

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Of hosts, between which a node's start and another's end are compared. */
const CLOCK_TOLERANCE_MS = 1_000;
const MOST_MESSAGE = 300;
/** Of one name: more tell nobody anything. */
export const MOST_FINDINGS = 100;

const percent = (share: number): number => Math.round(share * 100);
const ofCluster = (name: AlertName, message: string, value: number): Finding[] => [{ name, subject: '', message, value }];

/** One for each name of the alert table. The first three in the predecessor's words. */
export const alertConditions: Readonly<Record<AlertName, Condition>> = {
  POOL_UTILIZATION_CRITICAL: ({ poolUtilization = 0 }, { alertPoolCriticalPercent }) => {
    const used = percent(poolUtilization);
    if (poolUtilization * 100 <= alertPoolCriticalPercent) return [];
    return ofCluster('POOL_UTILIZATION_CRITICAL', `Pool utilization is critically high (${used}%). Consider increasing pool size.`, used);
  },
  POOL_UTILIZATION_HIGH: ({ poolUtilization = 0 }, { alertPoolHighPercent, alertPoolCriticalPercent }) => {
    const used = percent(poolUtilization);
    if (poolUtilization * 100 <= alertPoolHighPercent || poolUtilization * 100 > alertPoolCriticalPercent) return [];
    return ofCluster('POOL_UTILIZATION_HIGH', `Pool utilization is high (${used}%). Monitor for performance impact.`, used);
  },
  FAILURE_RATE_HIGH: ({ figures: { lastFiveMinutes } }, { alertFailurePercent, alertFailureJobs }) => {
    const { succeeded, failed, failureShare } = lastFiveMinutes;
    if (succeeded + failed < alertFailureJobs || failureShare * 100 <= alertFailurePercent) return [];
    const rate = percent(failureShare);
    return ofCluster('FAILURE_RATE_HIGH', `Failure rate is high (${rate}%). Check for script errors.`, rate);
  },
  QUEUE_AGE_HIGH: ({ figures: { lanes } }, { alertQueueAgeSeconds }) =>
    lanes
      .filter(({ oldestWaitingMs }) => (oldestWaitingMs ?? 0) > alertQueueAgeSeconds * 1_000)
      .map(({ lane, oldestWaitingMs }) => {
        const seconds = Math.round((oldestWaitingMs ?? 0) / 1_000);
        return { name: 'QUEUE_AGE_HIGH', subject: lane, message: `A job of lane '${lane}' has waited for ${seconds} s.`, value: seconds };
      }),
  QUEUE_DEPTH_HIGH: ({ figures: { lanes } }, { alertQueueDepthPercent, queueMaxJobs }) =>
    lanes
      .filter(({ waiting }) => waiting * 100 >= alertQueueDepthPercent * queueMaxJobs)
      .map(({ lane, waiting }) => ({
        name: 'QUEUE_DEPTH_HIGH',
        subject: lane,
        message: `${countedAnd(waiting, 'job', 'waits', 'wait')} in lane '${lane}'; at ${queueMaxJobs} callers are refused.`,
        value: waiting,
      })),
  LANE_WITHOUT_WORKER: ({ figures: { lanes }, events, now }) =>
    lanes
      .filter(({ workers }) => workers === 0)
      .flatMap(({ lane, waiting, active }) => {
        const isRefused = events.some(
          ({ name, subject, at }) => name === 'LANE_WITHOUT_WORKER' && subject === lane && now - at <= MINUTE_MS,
        );
        if (waiting + active === 0 && !isRefused) return [];
        const what = waiting + active === 0 ? 'callers are refused' : countedAnd(waiting + active, 'job', 'is', 'are') + ' not finished';
        const message = `No worker node serves lane '${lane}'; ${what}.`;
        return [{ name: 'LANE_WITHOUT_WORKER', subject: lane, message, value: waiting + active }];
      }),
  WORKER_NODE_LOST: ({ lost, live, now }, _thresholds, standing) => {
    const known = standing.filter(({ name }) => name === 'WORKER_NODE_LOST');
    const isKnown = ({ nodeName }: LostWorker): boolean => known.some(({ subject }) => subject === toSubject(nodeName));
    // What was found stays found after the registry has forgotten the node, also for a replica that takes over.
    const remembered = known
      .filter(({ startedAt }) => now - startedAt < HOUR_MS)
      .map(({ subject, startedAt }): LostWorker => ({ nodeName: subject, heardAt: startedAt - WORKER_GONE_MS }));
    const silent = [...lost.filter((node) => !isKnown(node)), ...remembered];
    // Several nodes of a host may have its name: only one that was started since takes a lost one's place.
    const isReplaced = ({ nodeName, heardAt }: LostWorker): boolean =>
      live.some((node) => toSubject(node.nodeName) === toSubject(nodeName) && node.startedAt > heardAt - CLOCK_TOLERANCE_MS);
    return silent
      .filter((node) => !isReplaced(node))
      .map(({ nodeName }) => ({
        name: 'WORKER_NODE_LOST',
        subject: nodeName,
        message: `Worker node '${nodeName}' is not heard of any more, and did not take leave.`,
        value: null,
      }));
  },
  BREAKER_OPEN: ({ events, now }) =>
    events
      .filter(({ name, at }) => name === 'BREAKER_OPEN' && now - at <= MINUTE_MS)
      .map(({ subject, detail }) => ({
        name: 'BREAKER_OPEN',
        subject,
        message: `The breaker around Redis was open on replica '${subject}' (${detail}).`,
        value: null,
      })),
  PROGRAM_QUARANTINED: ({ quarantined }) =>
    [...quarantined].map(([owner, programs]) => ({
      name: 'PROGRAM_QUARANTINED',
      subject: owner ?? 'everyone',
      message: `${counted(programs, 'program')} of ${owner ?? 'everyone'} ${programs === 1 ? 'is' : 'are'} quarantined.`,
      value: programs,
    })),
  JOB_SIGNATURE_REFUSED: ({ events }) =>
    events
      .filter(({ name }) => name === 'JOB_SIGNATURE_REFUSED')
      .map(({ subject, detail }) => ({
        name: 'JOB_SIGNATURE_REFUSED',
        subject,
        message: `A job in lane '${subject}' was refused: ${detail}.`,
        value: null,
      })),
  RECORD_REFUSED: ({ events }) =>
    events
      .filter(({ name }) => name === 'RECORD_REFUSED')
      .map(({ subject, detail }) => ({
        name: 'RECORD_REFUSED',
        subject,
        message: `A record in Redis was not believed (${subject}): ${detail}.`,
        value: null,
      })),
  RESULTS_REMOVED_EARLY: ({ events }) =>
    events
      .filter(({ name }) => name === 'RESULTS_REMOVED_EARLY')
      .map(({ detail }) => ({
        name: 'RESULTS_REMOVED_EARLY',
        subject: '',
        message: `Outcomes are removed before their time (${detail}): they hold more than PYTHON3_RESULT_MAX_BYTES allows.`,
        value: null,
      })),
  SIGNING_KEY_MISMATCH: ({ live, ownName, signing }) => {
    const { state, clusterKeyId, keyIds } = signing;
    if (clusterKeyId === undefined) return [];
    // A replica that cannot speak for the cluster judges nobody but itself.
    const judged = state === 'foreign' ? [{ nodeName: ownName, signing: { keyIds } }] : live;
    return judged
      .filter((node) => node.signing !== undefined && !node.signing.keyIds.includes(clusterKeyId))
      .map((node) => ({
        name: 'SIGNING_KEY_MISMATCH',
        subject: node.nodeName,
        message: `'${node.nodeName}' has the signing key ${node.signing?.keyIds[0] ?? 'unknown'}, the cluster has ${clusterKeyId}: it cannot verify the cluster’s jobs.`,
        value: null,
      }));
  },
  P95_OVER_OBJECTIVE: ({ figures: { lastFiveMinutes } }, { alertP95Ms, alertFailureJobs }) => {
    const { count, p95 } = lastFiveMinutes.runMs;
    if (alertP95Ms === 0 || count < alertFailureJobs || p95 <= alertP95Ms) return [];
    const ms = Math.round(p95);
    return ofCluster('P95_OVER_OBJECTIVE', `5 % of the runs took longer than ${ms} ms; the objective is ${alertP95Ms} ms.`, ms);
  },
  REDIS_MEMORY_HIGH: ({ memory: { usedBytes, maxBytes } }, { alertRedisMemoryPercent }) => {
    if (maxBytes === 0 || (usedBytes / maxBytes) * 100 <= alertRedisMemoryPercent) return [];
    const used = percent(usedBytes / maxBytes);
    return ofCluster('REDIS_MEMORY_HIGH', `Redis uses ${used} % of its maxmemory.`, used);
  },
  WORKER_DISK_LOW: ({ live }, { alertDiskFreePercent }) =>
    live.flatMap(({ nodeName, host }) => {
      if (host === undefined || host.diskTotalBytes === 0) return [];
      const free = host.diskFreeBytes / host.diskTotalBytes;
      if (free * 100 >= alertDiskFreePercent) return [];
      const message = `${percent(free)} % of the file system with the run directory of '${nodeName}' are free.`;
      return [{ name: 'WORKER_DISK_LOW', subject: nodeName, message, value: percent(free) }];
    }),
  CLOCK_SKEW: ({ live, ownName, ownClockOffsetMs }, { alertClockSkewMs }) =>
    [...live, { nodeName: ownName, host: { clockOffsetMs: ownClockOffsetMs } }].flatMap(({ nodeName, host }) => {
      const offsetMs = Math.round(host?.clockOffsetMs ?? 0);
      if (Math.abs(offsetMs) <= alertClockSkewMs) return [];
      const message = `The clock of '${nodeName}' and that of Redis differ by ${Math.abs(offsetMs)} ms.`;
      return [{ name: 'CLOCK_SKEW', subject: nodeName, message, value: offsetMs }];
    }),
};

/** All that is true now. Names of nodes and lanes come from unsigned records: they are cut to what a name may be. */
export function findAll(signals: AlertSignals, thresholds: AlertThresholds, standing: readonly Standing[]): Finding[] {
  return Object.values(alertConditions)
    .flatMap((condition) => condition(signals, thresholds, standing).slice(0, MOST_FINDINGS))
    .map((finding) => ({ ...finding, subject: toSubject(finding.subject), message: toMessage(finding.message) }));
}

// eslint-disable-next-line no-control-regex
const toMessage = (text: string): string => text.replace(/[\u0000-\u001f\u007f]/g, ' ').slice(0, MOST_MESSAGE);
