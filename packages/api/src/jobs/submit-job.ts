import { setTimeout as delay } from 'node:timers/promises';
import { REPLY_CHECK_MS, type Config } from '@python3-cluster/shared';
import type { IdempotencyRecords } from '../dispatch/idempotency-records';
import type { Dispatcher } from '../dispatch/dispatcher';
import type { Request, Response } from 'express';
import { asksForAdminMode } from '../auth/key-source';
import type { Handle } from '../operations/operation';
import type { JobOrder, Waiting } from '../dispatch/build-job';
import { dispatchOnce } from '../dispatch/dispatch-once';
import { orderOf } from '../dispatch/submission';
import type { ExpectedReply } from '../dispatch/expected-reply';
import type { JobRecord, OutcomeStore } from '../dispatch/outcome-store';
import { fingerprintOf, readIdempotencyKey } from '../requests/idempotency-key';
import { readJobRequest } from '../requests/job-request';
import { readPreferredWait } from '../requests/prefer-wait';
import { readMembers, releaseBody } from '../requests/read-body';
import { callerOf, readRequestState } from '../requests/request-state';
import { jobPath, toJobView, type JobViewParts } from './job-view';
import { sendJson } from '../responses/send-json';

export interface SubmitParts {
  readonly config: Config;
  readonly dispatcher: Dispatcher;
  readonly store: OutcomeStore;
  readonly idempotency: IdempotencyRecords;
  /** Aborted when this replica lets go of everyone who still waits. */
  readonly waitsEnd: AbortSignal;
}

/** Queues a job. Callers that prefer to wait get its outcome, if it comes in time. */
export function submitJob(options: SubmitParts): Handle {
  const { config, store, waitsEnd } = options;
  return async ({ request, response }) => {
    const waitSeconds = readPreferredWait(request.headers['prefer']);
    const dispatched = await dispatchRequest(options, request, response, waitSeconds === undefined ? 'none' : 'preferred');
    releaseBody(request, response);
    if ('replayed' in dispatched) return answerReplayed({ config, store, waitsEnd }, dispatched.replayed, response, waitSeconds);
    const { job, reply } = dispatched;
    readRequestState(response).jobId = job.id;
    if (waitSeconds !== undefined) response.setHeader('Preference-Applied', `wait=${waitSeconds}`);
    const parts = await waitFor(reply, response, waitSeconds);
    if (parts !== undefined) readRequestState(response).trace?.noteOutcome(parts.outcome);
    if (parts !== undefined) return sendJson(response, 200, toJobView({ job, state: 'finished', attempts: [], parts }, config.jaegerUiUrl));
    response.setHeader('Location', jobPath(job.id));
    sendJson(response, 202, toJobView(waitSeconds === undefined ? accepted(job) : await currentOrAccepted(store, job), config.jaegerUiUrl));
  };
}

/** A function of its own, so that nothing of the body is left once the job is queued. */
async function dispatchRequest(
  options: SubmitParts,
  request: Request,
  response: Response,
  waiting: Waiting,
): Promise<Awaited<ReturnType<typeof dispatchOnce>>> {
  const key = readIdempotencyKey(request);
  const order = await readOrder(request, response, options.config, waiting);
  if (key === undefined) return options.dispatcher.dispatch(order);
  return dispatchOnce(options, order, { key, fingerprint: await fingerprintOf(request, order.mode) });
}

async function readOrder(request: Request, response: Response, config: Config, waiting: Waiting): Promise<JobOrder> {
  const jobRequest = readJobRequest(await readMembers(request, { lenientMediaType: false }), config);
  const { trace } = readRequestState(response);
  return orderOf({ submitter: callerOf(response), request: jobRequest, waiting, asksForAdmin: asksForAdminMode(request), trace });
}

/** The job an earlier request made, as if this one had: with its outcome for who waits, else as it is. */
async function answerReplayed(
  { config, store, waitsEnd }: Pick<SubmitParts, 'config' | 'store' | 'waitsEnd'>,
  first: JobRecord,
  response: Response,
  waitSeconds = 0,
): Promise<void> {
  readRequestState(response).jobId = first.job.id;
  response.setHeader('Idempotent-Replayed', 'true');
  if (waitSeconds > 0) response.setHeader('Preference-Applied', `wait=${waitSeconds}`);
  const until = performance.now() + waitSeconds * 1_000;
  let record = first;
  while (record.parts === undefined && performance.now() < until && !response.destroyed && !waitsEnd.aborted) {
    await delay(REPLY_CHECK_MS, undefined, { signal: waitsEnd }).catch(() => undefined);
    record = await currentOrAccepted(store, record.job);
  }
  if (waitSeconds > 0 && record.parts !== undefined) return sendJson(response, 200, toJobView(record, config.jaegerUiUrl));
  response.setHeader('Location', jobPath(record.job.id));
  sendJson(response, 202, toJobView(record, config.jaegerUiUrl));
}

async function waitFor(reply: ExpectedReply | undefined, response: Response, waitSeconds = 0): Promise<JobViewParts['parts']> {
  if (reply === undefined) return undefined;
  response.once('close', () => reply.cancel());
  return reply.within(waitSeconds * 1_000).finally(() => reply.cancel());
}

const accepted = (job: JobRecord['job']): JobRecord => ({
  job,
  state: job.startAfter === undefined ? 'waiting' : 'delayed',
  attempts: [],
  parts: undefined,
});

/** The job is accepted, whether or not Redis can say how far it is. */
async function currentOrAccepted(store: OutcomeStore, job: JobRecord['job']): Promise<JobRecord> {
  const record = await store.readRecord(job.id).catch(() => undefined);
  return record ?? accepted(job);
}
