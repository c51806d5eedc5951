import { loadConfig, type AlertEvent, type AlertName, type EventAlertName } from '@python3-cluster/shared';
import type { LaneFigures, WindowFigures } from '../src/metrics/cluster-figures';
import { createCounts } from '../src/metrics/lane-counts';
import { toTotals, toWindow } from '../src/metrics/to-figures';
import type { AlertThresholds, Standing } from '../src/alerts/alert-conditions';
import type { AlertSignals } from '../src/alerts/alert-signals';

export const NOW = Date.now();
const empty = toWindow(createCounts(), 5);
export const runs = (succeeded: number, failed: number): WindowFigures => ({
  ...empty, succeeded, failed, finished: succeeded + failed, failureShare: failed / (succeeded + failed),
}); // prettier-ignore
export const withP95 = (count: number, p95: number): WindowFigures => ({ ...empty, runMs: { ...empty.runMs, count, p95 } });
export const lane = (changes: Partial<LaneFigures>): LaneFigures => ({
  lane: 'line-7', workers: 1, waiting: 0, delayed: 0, active: 0, oldestWaitingMs: null, lastMinute: empty, lastFiveMinutes: empty,
  totals: toTotals(createCounts()), ...changes,
}); // prettier-ignore
const event = (name: EventAlertName, ageMs: number, subject = 'line-7'): AlertEvent => ({
  version: 1,
  name,
  subject,
  at: NOW - ageMs,
  detail: 'd',
});
const host = (changes: object, startedAt = NOW - 7_200_000) => ({
  nodeName: 'n1',
  startedAt,
  host: { diskFreeBytes: 50, diskTotalBytes: 100, clockOffsetMs: 0, ...changes },
});
const signed = (...keyIds: string[]) => ({ ...host({}), signing: { keyId: keyIds[0] ?? '', keyIds } });
const standing = (name: AlertName, ageMs: number): Standing => ({ name, subject: 'n1', startedAt: NOW - ageMs, message: '', value: null });

const lost = (silentMs: number) => ({ nodeName: 'n1', heardAt: NOW - silentMs });

export type AlertCase = readonly [title: string, signals: Partial<AlertSignals>, standing?: Standing[]];
export const lastFiveMinutes = (window: WindowFigures): Partial<AlertSignals> => ({ figures: { lastFiveMinutes: window, lanes: [] } });
export const lanes = (...all: LaneFigures[]): Partial<AlertSignals> => ({ figures: { lastFiveMinutes: empty, lanes: all } });

/** Those that the cases are about. */
export const thresholds: AlertThresholds = loadConfig({ PYTHON3_QUEUE_MAX_JOBS: '1000' }).config;

/** What is as it should be: nothing is found. */
export const quiet: AlertSignals = {
  now: NOW, figures: { lastFiveMinutes: runs(90, 10), lanes: [lane({})] }, poolUtilization: 0.5, live: [host({})], lost: [],
  memory: { usedBytes: 50, maxBytes: 100 }, events: [], quarantined: new Map(), ownClockOffsetMs: 3, ownName: 'api-1',
  signing: { state: 'fits', clusterKeyId: 'aaaaaaaaaaaa', keyIds: ['aaaaaaaaaaaa'] },
}; // prettier-ignore

/** Each name: when it fires, and when, by a little, it does not. */
export const alertCases: Record<AlertName, { readonly fires: AlertCase[]; readonly doesNot: AlertCase[] }> = {
  POOL_UTILIZATION_CRITICAL: { fires: [['91 %', { poolUtilization: 0.91 }]], doesNot: [['90 %', { poolUtilization: 0.9 }], ['too little seen', { poolUtilization: undefined }]] },
  POOL_UTILIZATION_HIGH: { fires: [['71 %', { poolUtilization: 0.71 }], ['90 %', { poolUtilization: 0.9 }]], doesNot: [['70 %', { poolUtilization: 0.7 }], ['critical', { poolUtilization: 0.95 }]] },
  FAILURE_RATE_HIGH: { fires: [['5 of 20', lastFiveMinutes(runs(15, 5))]], doesNot: [['4 of 20', lastFiveMinutes(runs(16, 4))], ['19 of 19', lastFiveMinutes(runs(0, 19))], ['five trial jobs', lastFiveMinutes(runs(0, 5))]] },
  QUEUE_AGE_HIGH: { fires: [['61 s', lanes(lane({ waiting: 1, oldestWaitingMs: 61_000 }))]], doesNot: [['60 s', lanes(lane({ waiting: 1, oldestWaitingMs: 60_000 }))]] },
  QUEUE_DEPTH_HIGH: { fires: [['800 of 1,000', lanes(lane({ waiting: 800 }))]], doesNot: [['799', lanes(lane({ waiting: 799 }))]] },
  LANE_WITHOUT_WORKER: {
    fires: [['a job waits', lanes(lane({ workers: 0, waiting: 1 }))], ['callers are refused', { ...lanes(lane({ workers: 0 })), events: [event('LANE_WITHOUT_WORKER', 59_000)] }]],
    doesNot: [['nobody needs it', lanes(lane({ workers: 0 }))], ['refused long ago', { ...lanes(lane({ workers: 0 })), events: [event('LANE_WITHOUT_WORKER', 61_000)] }], ['served again', { events: [event('LANE_WITHOUT_WORKER', 1)] }]],
  },
  WORKER_NODE_LOST: {
    fires: [
      ['it fell silent', { live: [], lost: [lost(6_000)] }],
      ['it did, and the registry has forgotten it', { live: [] }, [standing('WORKER_NODE_LOST', 3_500_000)]],
      ['it did, and one of the same name lives on', { lost: [lost(6_000)] }],
      ['the same, later', {}, [standing('WORKER_NODE_LOST', 600_000)]],
    ],
    doesNot: [
      ['one of that name was started since', { live: [host({}, NOW - 3_000)], lost: [lost(6_000)] }],
      ['one was, and the registry has forgotten the other', { live: [host({}, NOW - 500_000)] }, [standing('WORKER_NODE_LOST', 600_000)]],
      ['it was silent at first sight, and one of that name lives', { lost: [{ nodeName: 'n1', heardAt: 0 }] }],
      ['it is an hour ago', { live: [], lost: [lost(6_000)] }, [standing('WORKER_NODE_LOST', 3_600_000)]],
    ],
  },
  BREAKER_OPEN: { fires: [['lately', { events: [event('BREAKER_OPEN', 59_000)] }]], doesNot: [['long ago', { events: [event('BREAKER_OPEN', 61_000)] }]] },
  PROGRAM_QUARANTINED: { fires: [['one caller’s', { quarantined: new Map([['key:a', 2]]) }], ['everyone’s', { quarantined: new Map([[null, 1]]) }]], doesNot: [['none', {}]] },
  JOB_SIGNATURE_REFUSED: { fires: [['once', { events: [event('JOB_SIGNATURE_REFUSED', 299_000)] }]], doesNot: [['another event', { events: [event('LANE_WITHOUT_WORKER', 0)] }]] },
  RECORD_REFUSED: { fires: [['once', { events: [event('RECORD_REFUSED', 299_000)] }]], doesNot: [['another event', { events: [event('LANE_WITHOUT_WORKER', 0)] }]] },
  RESULTS_REMOVED_EARLY: { fires: [['once', { events: [event('RESULTS_REMOVED_EARLY', 299_000)] }]], doesNot: [['another event', { events: [event('LANE_WITHOUT_WORKER', 0)] }]] },
  SIGNING_KEY_MISMATCH: {
    fires: [['a node has another', { live: [signed('bbbbbbbbbbbb')] }], ['this replica has', { signing: { state: 'foreign', clusterKeyId: 'bbbbbbbbbbbb', keyIds: ['aaaaaaaaaaaa'] } }]],
    doesNot: [['it has both', { live: [signed('bbbbbbbbbbbb', 'aaaaaaaaaaaa')] }], ['an older version says nothing', { live: [host({})] }], ['not known yet', { live: [signed('bbbbbbbbbbbb')], signing: { state: 'unknown', clusterKeyId: undefined, keyIds: [] } }]],
  },
  P95_OVER_OBJECTIVE: { fires: [['of twenty runs', lastFiveMinutes(withP95(20, 5_001))]], doesNot: [['5,000 ms', lastFiveMinutes(withP95(20, 5_000))], ['of nineteen', lastFiveMinutes(withP95(19, 9_000))], ['of five trial jobs', lastFiveMinutes(withP95(5, 9_000))]] },
  REDIS_MEMORY_HIGH: { fires: [['81 %', { memory: { usedBytes: 81, maxBytes: 100 } }]], doesNot: [['80 %', { memory: { usedBytes: 80, maxBytes: 100 } }], ['no limit', { memory: { usedBytes: 81, maxBytes: 0 } }]] },
  WORKER_DISK_LOW: { fires: [['9 %', { live: [host({ diskFreeBytes: 9 })] }]], doesNot: [['10 %', { live: [host({ diskFreeBytes: 10 })] }], ['not known', { live: [{ nodeName: 'n1', startedAt: 1 }] }]] },
  CLOCK_SKEW: { fires: [['a node before', { live: [host({ clockOffsetMs: 1_001 })] }], ['a node behind', { live: [host({ clockOffsetMs: -1_001 })] }], ['this replica', { ownClockOffsetMs: 1_001 }]], doesNot: [['a second', { live: [host({ clockOffsetMs: 1_000 })] }]] },
}; // prettier-ignore

/** What is so once a condition is over, where that is not `quiet`. */
export const mended: Partial<Record<AlertName, Partial<AlertSignals>>> = {
  WORKER_NODE_LOST: { live: [host({}, NOW - 3_000)] },
};
