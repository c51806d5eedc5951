import { ClusterError, isHalfOpen, type Logger, type QuarantineEntry, type QuarantineList } from '@python3-cluster/shared';
import type { RequestHandler } from 'express';
import type { Authenticator } from '../auth/authenticator';
import { callerOf, requireRole } from '../auth/require-role';
import { refuseQuery } from '../requests/refuse-query';
import type { JsonValue } from '../responses/raw-json';
import { sendJson } from '../responses/send-json';
import type { Route } from './route';

export interface QuarantineRouteOptions {
  readonly authenticator: Authenticator;
  readonly quarantine: QuarantineList;
  readonly logger: Logger;
}

/** What is quarantined, and its release. Of a program its digest, its first line and its labels are shown: whose code it is, its job tells. */
export function createQuarantineRoutes(options: QuarantineRouteOptions): Route[] {
  const mayRelease = [refuseQuery, requireRole(options.authenticator, 'admin')];
  return [
    { method: 'get', path: '/api/v1/quarantine', handlers: [...mayRelease, listEntries(options)] },
    { method: 'delete', path: '/api/v1/quarantine/:id', handlers: [...mayRelease, release(options)] },
  ];
}

function listEntries({ quarantine }: QuarantineRouteOptions): RequestHandler {
  return async (_request, response) => {
    await quarantine.look();
    sendJson(response, 200, { quarantine: quarantine.entries().map(toEntryView) });
  };
}

function release({ quarantine, logger }: QuarantineRouteOptions): RequestHandler {
  return async (request, response) => {
    await quarantine.look();
    const entry = quarantine.get(String(request.params['id']));
    if (entry === undefined) throw new ClusterError('QUARANTINE_NOT_FOUND');
    const { version, id, owner, program, environment, until } = entry;
    const by = callerOf(response).keyId;
    const at = Date.now();
    await quarantine.put({ version, state: 'released', id, owner, program, environment, at, until, by }).catch((error: unknown) => {
      throw new ClusterError('QUEUE_UNAVAILABLE', 'Redis cannot be reached; it is not known whether the program was released.', {
        cause: error,
      });
    });
    logger.warn({ event: 'quarantine', quarantineId: id, owner, program, by }, 'a quarantined program was released by an admin');
    sendJson(response, 200, { id, state: 'released', by, releasedAt: at });
  };
}

function toEntryView(entry: QuarantineEntry): JsonValue {
  const { id, owner, program, environment, at, until, breaches, lastStatus, lastJobId, workers, firstLine = null, labels = {} } = entry;
  return {
    id,
    owner,
    program,
    environment,
    state: isHalfOpen(entry) ? 'half-open' : 'quarantined',
    since: at,
    until,
    breaches,
    lastStatus,
    lastJobId,
    firstLine,
    labels: { ...labels },
    workers,
  };
}
