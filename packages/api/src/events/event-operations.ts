import { OUTPUT_START, type OutputPosition, type Config } from '@python3-cluster/shared';
import type { JobWatches } from './job-watches';
import { defineFeature } from '../operations/feature';
import type { Handle } from '../operations/operation';
import type { JobRecord, OutcomeStore } from '../dispatch/outcome-store';
import { EventStream, sendStreamHeaders } from './event-stream';
import { JobReader } from './job-reader';
import { readLastEventId } from './last-event-id';
import { StreamLimits } from './stream-limits';
import { findJob } from '../jobs/find-job';

interface EventParts {
  readonly config: Config;
  readonly store: OutcomeStore;
  readonly watches: JobWatches;
}

export const eventFeature = defineFeature({
  name: 'events',
  operations: {
    stream: {
      method: 'get',
      path: '/api/v1/jobs/:id/events',
      access: 'operator',
      effect: 'read',
      answers: {
        200: 'a stream of what happens to the job: [Events](#events)',
        204: 'the job has ended and `Last-Event-ID` says that its outcome was seen',
      },
      errors: ['JOB_NOT_FOUND', 'RESULT_EXPIRED', 'RESULT_REMOVED', 'EVENTS_PER_OWNER', 'EVENTS_FULL'],
    },
  },
  create: (parts: EventParts) => ({ stream: streamEvents(parts) }),
});

/** Everything that can be refused is refused before the first byte: after it there is only the end of the stream. */
function streamEvents({ config, store, watches }: EventParts): Handle {
  const limits = new StreamLimits({ most: config.eventsMaxStreams, mostPerOwner: config.eventsMaxPerOwner });
  const timing = { heartbeatMs: config.eventsHeartbeatSeconds * 1_000, stallMs: config.eventsStallSeconds * 1_000 };
  return async (call) => {
    const { request, response, caller } = call;
    const { position, hasOutcome } = readLastEventId(request.headers['last-event-id']);
    const record = await findJob(store, call);
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
    response.once('close', limits.enter(caller.owner));
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
