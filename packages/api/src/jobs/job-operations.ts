import { CANCEL_WAIT_MS, ClusterError } from '@python3-cluster/shared';
import type { JobList } from '../dispatch/job-list';
import { defineFeature } from '../operations/feature';
import { ok, type Handle } from '../operations/operation';
import { QUEUING_ERRORS } from '../dispatch/queuing-errors';
import type { JobRecord, OutcomeStore } from '../dispatch/outcome-store';
import { formatCursor, LIST_PARAMETERS, readListQuery } from './job-list-query';
import { jobPath, toJobView, toListedView } from './job-view';
import { findJob } from './find-job';
import { submitJob, type SubmitParts } from './submit-job';

interface JobParts extends SubmitParts {
  readonly list: JobList;
}

const GONE_ERRORS = ['JOB_NOT_FOUND', 'RESULT_EXPIRED', 'RESULT_REMOVED'] as const;

export const jobFeature = defineFeature({
  name: 'jobs',
  operations: {
    submit: {
      method: 'post',
      path: '/api/v1/jobs',
      access: 'developer',
      effect: 'run',
      body: 'json',
      isDirect: true,
      fields: '[Fields](#fields)',
      answers: {
        202: 'the job record',
        200: 'with the outcome, if it came within `Prefer: wait=N`',
      },
      errors: ['IDEMPOTENCY_KEY_REUSED', 'RESULT_EXPIRED', ...QUEUING_ERRORS],
    },
    list: {
      method: 'get',
      path: '/api/v1/jobs',
      access: 'viewer',
      effect: 'read',
      query: LIST_PARAMETERS,
      answers: { 200: "a page of one's jobs: [Listing](#listing)" },
    },
    show: {
      method: 'get',
      path: '/api/v1/jobs/:id',
      access: 'operator',
      effect: 'read',
      answers: { 200: 'the job record' },
      errors: GONE_ERRORS,
    },
    cancel: {
      method: 'delete',
      path: '/api/v1/jobs/:id',
      access: 'developer',
      effect: 'change',
      answers: { 200: 'the job record, ended', 202: 'the job record; it is about to end: [Cancelling](#cancelling)' },
      errors: GONE_ERRORS,
    },
  },
  create: (parts: JobParts) => ({ submit: submitJob(parts), list: listJobs(parts), show: showJob(parts), cancel: cancelJob(parts) }),
});

function showJob({ config, store }: JobParts): Handle {
  return async (call) => ok(toJobView(await findJob(store, call), config.jaegerUiUrl));
}

/** Idempotent: what has ended keeps its end, and the record tells which that is. */
function cancelJob({ config, dispatcher, store }: JobParts): Handle {
  return async (call) => {
    const record = await findJob(store, call);
    if (record.parts !== undefined) return ok(toJobView(record, config.jaegerUiUrl));
    const { id } = record.job;
    if ((await dispatcher.cancel(record.job)) === 'unknown') throw new ClusterError('JOB_NOT_FOUND');
    const after = await awaitEnd(store, id, CANCEL_WAIT_MS);
    if (after === undefined) throw new ClusterError('JOB_NOT_FOUND');
    if (after.parts === undefined) call.response.setHeader('Location', jobPath(id));
    return { status: after.parts === undefined ? 202 : 200, body: toJobView(after, config.jaegerUiUrl) };
  };
}

/** The record once the job has ended, or as it is after the time; undefined where it is gone meanwhile. */
async function awaitEnd(store: OutcomeStore, jobId: string, timeoutMs: number): Promise<JobRecord | undefined> {
  const deadline = performance.now() + timeoutMs;
  for (let pauseMs = 5; ; pauseMs = Math.min(100, pauseMs * 2)) {
    const record = await store.readRecord(jobId);
    if (record === undefined || record.parts !== undefined || performance.now() >= deadline) return record;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

function listJobs({ config, list }: JobParts): Handle {
  return async ({ query, caller }) => {
    const { jobs, next } = await list.read(readListQuery(query, caller));
    return ok({
      jobs: jobs.map((job) => toListedView(job, config.jaegerUiUrl)),
      nextCursor: next === undefined ? null : formatCursor(next),
    });
  };
}
