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

  it('may have its id chosen beforehand', () => {
    expect(buildJob({ ...orderOf('none'), jobId: 'default.x' }, config, 'reply').id).toBe('default.x');
  });
});
