import { OUTPUT_START, type Config, type OutputPosition } from '@python3-cluster/shared';
import type { RequestHandler } from 'express';
import type { Authenticator } from '../auth/authenticator';
import { callerOf, requireRole } from '../auth/require-role';
import type { JobRecord, OutcomeStore } from '../dispatch/outcome-store';
import { EventStream, sendStreamHeaders } from '../events/event-stream';
import { JobReader } from '../events/job-reader';
import type { JobWatches } from '../events/job-watches';
import { readLastEventId } from '../events/last-event-id';
import { StreamLimits } from '../events/stream-limits';
import { refuseQuery } from '../requests/refuse-query';
import { findJob } from './job-routes';
import type { Route } from './route';

export interface EventRouteOptions {
  readonly config: Config;
  readonly authenticator: Authenticator;
  readonly store: OutcomeStore;
  readonly watches: JobWatches;
}

export function createEventRoutes(options: EventRouteOptions): Route[] {
  const { authenticator } = options;
  return [
    {
      method: 'get',
      path: '/api/v1/jobs/:id/events',
      handlers: [refuseQuery, requireRole(authenticator, 'operator'), streamEvents(options)],
    },
  ];
}

/** Everything that can be refused is refused before the first byte: after it there is only the end of the stream. */
function streamEvents({ config, store, watches }: EventRouteOptions): RequestHandler {
  const limits = new StreamLimits({ most: config.eventsMaxStreams, mostPerOwner: config.eventsMaxPerOwner });
  const timing = { heartbeatMs: config.eventsHeartbeatSeconds * 1_000, stallMs: config.eventsStallSeconds * 1_000 };
  return async (request, response) => {
    const { position, hasOutcome } = readLastEventId(request.headers['last-event-id']);
    const record = await findJob(store, request, response);
    if (hasOutcome && record.parts !== undefined) {
      // What tells a browser's EventSource not to come again.
      response.status(204).end();
      return;
    }
    if (request.method === 'HEAD') {
      sendStreamHeaders(response);
      response.end();
      return;
    }
    if (response.destroyed) return;
    response.once('close', limits.enter(callerOf(response).owner));
    const stream = new EventStream(response, timing);
    const reader = new JobReader(stream, knownPosition(position, record));
    const jobId = record.job.id;
    stream.onReady = () => watches.goOn(reader, jobId);
    response.once('close', () => watches.unwatch(reader, jobId));
    watches.watch(reader, record);
  };
}

/** A place in an attempt that the job never had would wait for it in vain. */
const knownPosition = (position: OutputPosition, { attempts }: JobRecord): OutputPosition =>
  position.attempt > attempts.length ? OUTPUT_START : position;
