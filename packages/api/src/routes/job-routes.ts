import { setTimeout as delay } from 'node:timers/promises';
import { CANCEL_WAIT_MS, ClusterError, isRoleAtLeast, laneOfJobId, REPLY_CHECK_MS, type Config } from '@python3-cluster/shared';
import type { Request, RequestHandler, Response } from 'express';
import type { Authenticator } from '../auth/authenticator';
import type { Caller } from '../auth/caller';
import { decideMode } from '../auth/decide-mode';
import { asksForAdminMode } from '../auth/key-source';
import { callerOf, requireRole } from '../auth/require-role';
import type { JobOrder, Waiting } from '../dispatch/build-job';
import { dispatchOnce } from '../dispatch/dispatch-once';
import type { Dispatcher } from '../dispatch/dispatcher';
import type { ExpectedReply } from '../dispatch/expected-reply';
import type { IdempotencyRecords } from '../dispatch/idempotency-records';
import type { JobList } from '../dispatch/job-list';
import type { JobRecord, OutcomeStore } from '../dispatch/outcome-store';
import type { BodyBudget } from '../requests/body-budget';
import { fingerprintOf, readIdempotencyKey } from '../requests/idempotency-key';
import { formatCursor, readListQuery } from '../requests/job-list-query';
import { readJobRequest } from '../requests/job-request';
import { readPreferredWait } from '../requests/prefer-wait';
import { createBodyReader, readMembers, releaseBody } from '../requests/read-body';
import { refuseQuery } from '../requests/refuse-query';
import { readRequestState } from '../requests/request-state';
import { jobPath, toJobView, toListedView, type JobViewParts } from '../responses/job-view';
import { sendJson } from '../responses/send-json';
import type { Route } from './route';

export interface JobRouteOptions {
  readonly config: Config;
  readonly authenticator: Authenticator;
  readonly dispatcher: Dispatcher;
  readonly store: OutcomeStore;
  readonly list: JobList;
  readonly idempotency: IdempotencyRecords;
  readonly bodies: BodyBudget;
  /** Aborted when this replica lets go of everyone who still waits. */
  readonly waitsEnd: AbortSignal;
}

export function createJobRoutes(options: JobRouteOptions): Route[] {
  const { authenticator, config, bodies } = options;
  const readBody = createBodyReader({ maxBodyBytes: config.maxBodyBytes, bodies });
  return [
    {
      method: 'post',
      path: '/api/v1/jobs',
      isDirect: true,
      handlers: [refuseQuery, requireRole(authenticator, 'developer'), readBody, createJob(options)],
    },
    { method: 'get', path: '/api/v1/jobs', handlers: [requireRole(authenticator, 'viewer'), listJobs(options)] },
    { method: 'get', path: '/api/v1/jobs/:id', handlers: [refuseQuery, requireRole(authenticator, 'operator'), showJob(options)] },
    { method: 'delete', path: '/api/v1/jobs/:id', handlers: [refuseQuery, requireRole(authenticator, 'developer'), cancelJob(options)] },
  ];
}

function createJob(options: JobRouteOptions): RequestHandler {
  const { config, store, waitsEnd } = options;
  return async (request, response) => {
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
  options: JobRouteOptions,
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
  const caller = callerOf(response);
  const { trace } = readRequestState(response);
  const jobRequest = readJobRequest(await readMembers(request, { lenientMediaType: false }), config);
  const mode = decideMode({ requested: jobRequest.mode, headersAskForAdmin: asksForAdminMode(request), role: caller.role });
  return { request: jobRequest, mode, owner: caller.owner, traceparent: trace?.jobTraceparent ?? null, trace, waiting };
}

/** The job an earlier request made, as if this one had: with its outcome for who waits, else as it is. */
async function answerReplayed(
  { config, store, waitsEnd }: Pick<JobRouteOptions, 'config' | 'store' | 'waitsEnd'>,
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

function showJob({ config, store }: JobRouteOptions): RequestHandler {
  return async (request, response) => {
    sendJson(response, 200, toJobView(await findJob(store, request, response), config.jaegerUiUrl));
  };
}

/** Idempotent: what has ended keeps its end, and the record tells which that is. */
function cancelJob({ config, dispatcher, store }: JobRouteOptions): RequestHandler {
  return async (request, response) => {
    const record = await findJob(store, request, response);
    if (record.parts !== undefined) return sendJson(response, 200, toJobView(record, config.jaegerUiUrl));
    const { id } = record.job;
    if ((await dispatcher.cancel(record.job)) === 'unknown') throw new ClusterError('JOB_NOT_FOUND');
    const after = await awaitEnd(store, id, CANCEL_WAIT_MS);
    if (after === undefined) throw new ClusterError('JOB_NOT_FOUND');
    if (after.parts === undefined) response.setHeader('Location', jobPath(id));
    sendJson(response, after.parts === undefined ? 202 : 200, toJobView(after, config.jaegerUiUrl));
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

function listJobs({ config, list }: JobRouteOptions): RequestHandler {
  return async (request, response) => {
    const { jobs, next } = await list.read(readListQuery(request.originalUrl, callerOf(response)));
    sendJson(response, 200, {
      jobs: jobs.map((job) => toListedView(job, config.jaegerUiUrl)),
      nextCursor: next === undefined ? null : formatCursor(next),
    });
  };
}

/** The job of the path. @throws ClusterError JOB_NOT_FOUND also where it is somebody else's; RESULT_EXPIRED, RESULT_REMOVED */
export async function findJob(store: OutcomeStore, request: Request, response: Response): Promise<JobRecord> {
  const id = String(request.params['id']);
  const isId = laneOfJobId(id) !== undefined;
  const record = isId ? await store.readRecord(id) : undefined;
  if (isId && record === undefined) await assertNotGone(store, id, callerOf(response));
  if (record === undefined || !maySee(callerOf(response), record.job)) throw new ClusterError('JOB_NOT_FOUND');
  readRequestState(response).jobId = id;
  return record;
}

/** That a job is somebody else's is not told: to others it does not exist. */
const maySee = (caller: Caller, { owner }: { readonly owner: string }): boolean =>
  owner === caller.owner || isRoleAtLeast(caller.role, 'admin');

/** @throws ClusterError RESULT_EXPIRED, RESULT_REMOVED */
async function assertNotGone(store: OutcomeStore, jobId: string, caller: Caller): Promise<void> {
  const gone = await store.whyGone(jobId);
  if (gone === undefined || !maySee(caller, gone)) return;
  throw new ClusterError(gone.why === 'removed' ? 'RESULT_REMOVED' : 'RESULT_EXPIRED', undefined, { details: { jobId } });
}
