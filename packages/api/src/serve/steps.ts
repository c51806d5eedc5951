import type { Request, RequestHandler } from 'express';
import { requireMetricsKey } from '../auth/require-metrics-key';
import { requireRole } from '../auth/require-role';
import { readQuery } from '../requests/query-parameters';
import { createBodyReader } from '../requests/read-body';
import { refuseUnasked } from '../requests/refuse-unasked';
import { sendJson } from '../responses/send-json';
import type { Core } from './core';
import { callOf, type Access, type Handle, type Operation } from '../operations/operation';

/**
 * What a request of an operation passes, in this order. Each step refuses before the next one costs anything:
 *
 *   asked for   a GET with an effect is not done for HEAD, nor beforehand
 *   query       only parameters the operation takes
 *   access      the caller is known and its role suffices
 *   body        read as bytes, within its share of the memory
 *   handle      the answer
 */
export function createSteps(operation: Operation, handle: Handle, core: Core): RequestHandler[] {
  const access = createAccessStep(operation.access, core);
  const { maxBodyBytes } = core.config;
  return [
    ...(operation.method === 'get' && operation.effect !== 'read' ? [refuseUnasked] : []),
    createQueryStep(operation),
    ...(access === undefined ? [] : [access]),
    ...(operation.body === 'json' ? [createBodyReader({ maxBodyBytes, bodies: core.bodies })] : []),
    createAnswerStep(operation, handle),
  ];
}

function createAccessStep(access: Access, { authenticator, config }: Core): RequestHandler | undefined {
  if (access === 'public') return undefined;
  return access === 'metrics' ? requireMetricsKey(authenticator, config.metricsToken) : requireRole(authenticator, access);
}

function createQueryStep({ query = [] }: Operation): RequestHandler {
  return (request, _response, next) => {
    if (query !== 'any') readQuery(request.originalUrl, query);
    next();
  };
}

function createAnswerStep({ query = [] }: Operation, handle: Handle): RequestHandler {
  const parametersOf = (request: Request): ReadonlyMap<string, string> =>
    query === 'any' || query.length === 0 ? NO_PARAMETERS : readQuery(request.originalUrl, query);
  return async (request, response) => {
    const answer = await handle(callOf(request, response, parametersOf(request)));
    if (answer !== undefined) sendJson(response, answer.status, answer.body);
  };
}

const NO_PARAMETERS: ReadonlyMap<string, string> = new Map();
