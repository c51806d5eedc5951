import { describe, expect, it } from '@jest/globals';
import { endsWithItsCaller, loadConfig } from '@python3-cluster/shared';
import { buildJob, type JobOrder, type Waiting } from './build-job';

const { config } = loadConfig({ PYTHON3_JOB_VALIDITY_SECONDS: '600', PYTHON3_QUEUE_WAIT_SECONDS: '30' });

const orderOf = (waiting: Waiting, expiresInMs?: number): JobOrder =>
  ({ waiting, request: { lane: 'default', expiresInMs }, mode: 'restricted', owner: 'o', traceparent: null }) as unknown as JobOrder;

describe('a job’s deadlines', () => {
  it.each<[string, JobOrder, number | null, number, boolean]>([
    ['whose caller does not wait', orderOf('none'), null, 600_000, false],
    ['whose caller would like to wait', orderOf('preferred'), null, 600_000, false],
    ['whose caller waits', orderOf('required'), 30_000, 90_000, true],
    ['that expires', orderOf('none', 100), 100, 720_000, false],
    ['that expires with its validity', orderOf('none', 600_000), 600_000, 720_000, false],
  ])('%s', (_words, order, startBefore, validUntil, endsWithCaller) => {
    const job = buildJob(order, config, 'reply', 0);
    expect([job.startBefore, job.validUntil, endsWithItsCaller(job)]).toEqual([startBefore, validUntil, endsWithCaller]);
  });

  const timed = (change: object): JobOrder => {
    const order = orderOf('preferred');
    return { ...order, request: { ...order.request, delivery: 'at-least-once', limits: { timeoutMs: 1_000 }, ...change } } as JobOrder;
  };

  it.each<[string, JobOrder, (number | null | undefined)[]]>([
    ['that waits first: all of them count from then on', timed({ delayMs: 5_000 }), [5_000, null, 605_000]],
    ['that waits and then expires', timed({ delayMs: 5_000, expiresInMs: 100 }), [5_000, 5_100, 725_000]],
    // two more runs of 1 s each, after 2 s and 4 s at most
    ['that is retried: its seal covers the last run', timed({ retry: { on: ['failed'], backoffMs: 2_000 } }), [undefined, null, 608_000]],
    ['that is retried once', timed({ retry: { on: ['failed'], backoffMs: 2_000 }, attempts: 2 }), [undefined, null, 603_000]],
    ['that may only be started again after a loss', timed({ attempts: 10 }), [undefined, null, 600_000]],
  ])('%s', (_words, order, expected) => {
    const job = buildJob(order, config, 'reply', 0);
    expect([job.startAfter, job.startBefore, job.validUntil]).toEqual(expected);
    expect(endsWithItsCaller(job)).toBe(false);
  });

  it('are short where nothing was asked for: no member is signed that is not needed', () => {
    const names = Object.keys(buildJob(orderOf('none'), config, 'reply', 0));
    for (const name of ['startAfter', 'attempts', 'retry', 'priority', 'labels']) expect(names).not.toContain(name);
  });

  it('may have its id chosen beforehand', () => {
    expect(buildJob({ ...orderOf('none'), jobId: 'default.x' }, config, 'reply').id).toBe('default.x');
  });
});
