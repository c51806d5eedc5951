import { hasErrorCode, sliceJsonObject, type Config, type OutcomeParts, type RunKind } from '@python3-cluster/shared';
import type { Dispatcher } from '../dispatch/dispatcher';
import type { Request, Response } from 'express';
import { asksForAdminMode } from '../auth/key-source';
import { defineFeature } from '../operations/feature';
import type { Handle, Operation } from '../operations/operation';
import type { JobOrder } from '../dispatch/build-job';
import { orderOf } from '../dispatch/submission';
import { QUEUING_ERRORS } from '../dispatch/queuing-errors';
import type { JobRequest } from '../requests/job-request';
import { assertSupportedHeaders } from '../requests/known-fields';
import type { Members } from '../requests/members';
import { readMembers } from '../requests/read-body';
import { callerOf, readRequestState } from '../requests/request-state';
import { RawJson, type JsonValue } from '../responses/raw-json';
import { sendJson } from '../responses/send-json';
import { toFailureText } from './failure-text';
import { toLegacyAnswer } from './legacy-answer';
import { LEGACY_BASE } from './legacy-envelope';
import { readLegacyRequest } from './legacy-request';
import { readResultForm } from './result-form';
import { runAndWait } from './run-and-wait';

interface LegacyJobParts {
  readonly config: Config;
  readonly dispatcher: Dispatcher;
}

const RUN_ERRORS = ['POOL_BUSY', 'OUTCOME_UNKNOWN', ...QUEUING_ERRORS] as const;

const runs = (name: string, fields: string, answer: string): Operation => ({
  method: 'post',
  path: `${LEGACY_BASE}/${name}`,
  access: 'developer',
  effect: 'run',
  body: 'json',
  isDirect: true,
  fields,
  answers: { 200: answer },
  errors: RUN_ERRORS,
});

/** The predecessor's routes that run something. They answer 200 for whatever the code did. */
export const legacyJobFeature = defineFeature({
  name: 'legacy-jobs',
  operations: {
    exec: runs('exec', '`code`, `variables`', '`{"success": true, "result": …}`'),
    eval: runs('eval', '`expression`, `variables`', 'the same'),
    call: runs('call-module', '`module`, `function`, `args`, `kwargs`', 'the same'),
    check: runs('check-syntax', '`code`', '`{"success": true, "errors": [{"line", "column", "message", "severity"}]}`'),
    example: {
      method: 'get',
      path: `${LEGACY_BASE}/example`,
      access: 'developer',
      effect: 'run',
      answers: { 200: '`{"success": true, "result": "Python 3 is working! 2^100 = …"}`, or a text with the error' },
      errors: RUN_ERRORS,
    },
  },
  create: (parts: LegacyJobParts) => ({
    exec: run(parts, 'exec'),
    eval: run(parts, 'eval'),
    call: run(parts, 'call'),
    check: checkSyntax(parts),
    example: runExample(parts),
  }),
});

function run(options: LegacyJobParts, kind: RunKind): Handle {
  const { config } = options;
  return async ({ request, response }) => {
    const form = readResultForm(request.headers['x-python3-legacy-result'], config.legacyResult);
    const readOrder = async (): Promise<JobOrder> =>
      createOrder(request, response, readLegacyRequest(kind, await membersOf(request, config), config));
    const { job, parts } = await runAndWait(options, readOrder, request, response);
    sendJson(response, 200, toLegacyAnswer(job, parts, form, config.jaegerUiUrl));
  };
}

function checkSyntax(options: LegacyJobParts): Handle {
  const { config } = options;
  return async ({ request, response }) => {
    const readOrder = async (): Promise<JobOrder | undefined> => {
      const checkRequest = readCheckRequest(await membersOf(request, config), config);
      // parsing needs no rights, whatever the headers ask for
      return checkRequest && createOrder(request, response, checkRequest, checkRequest.mode ?? 'restricted');
    };
    const ended = await runAndWait(options, readOrder, request, response);
    if (ended === undefined) return sendJson(response, 200, { success: true, errors: [] });
    const { job, parts } = ended;
    const isChecked = parts.outcome.status === 'succeeded';
    sendJson(
      response,
      200,
      isChecked ? { success: true, errors: syntaxErrorsIn(parts) } : toLegacyAnswer(job, parts, 'json', config.jaegerUiUrl),
    );
  };
}

/** undefined where there is no code, in which the predecessor finds no errors. */
function readCheckRequest(members: Members, config: Config): JobRequest | undefined {
  try {
    return readLegacyRequest('check', members, config);
  } catch (error) {
    if (hasErrorCode(error, 'CODE_EMPTY')) return undefined;
    throw error;
  }
}

/** A real job, so that the answer shows that the whole path works; its failure is told in `result`, as it always was. */
function runExample(options: LegacyJobParts): Handle {
  const members: Members = new Map([['expression', Buffer.from('"2**100"')]]);
  return async ({ request, response }) => {
    const readOrder = (): JobOrder => createOrder(request, response, readLegacyRequest('eval', members, options.config), 'restricted');
    const { job, parts } = await runAndWait(options, readOrder, request, response);
    const hasWorked = parts.outcome.status === 'succeeded';
    const result = hasWorked
      ? `Python 3 is working! 2^100 = ${parts.value.toString('utf8')}`
      : `Python 3 error: ${toFailureText(job, parts.outcome)}`;
    sendJson(response, 200, { success: true, result });
  };
}

function createOrder(request: Request, response: Response, jobRequest: JobRequest, mode = jobRequest.mode): JobOrder {
  assertSupportedHeaders(request.headers);
  const { trace } = readRequestState(response);
  const asksForAdmin = asksForAdminMode(request);
  return orderOf({ submitter: callerOf(response), request: jobRequest, waiting: 'required', mode, asksForAdmin, trace });
}

/** Without keys, JSON is what keeps web pages from posting to us. */
const membersOf = (request: Request, config: Config): Promise<Members> =>
  readMembers(request, { lenientMediaType: config.auth === 'keys' });

function syntaxErrorsIn({ value }: OutcomeParts): JsonValue {
  const errors = sliceJsonObject(value).get('errors');
  return errors === undefined ? [] : new RawJson(errors);
}
