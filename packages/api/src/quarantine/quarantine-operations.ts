import { ClusterError, isHalfOpen, type QuarantineEntry, type QuarantineList, type Logger } from '@python3-cluster/shared';
import { defineFeature } from '../operations/feature';
import { ok, parameterOf, type Handle } from '../operations/operation';
import type { JsonValue } from '../responses/raw-json';

interface QuarantineParts {
  readonly quarantine: QuarantineList;
  readonly logger: Logger;
}

/** What is quarantined, and its release. Of a program its digest, first line and labels are shown. */
export const quarantineFeature = defineFeature({
  name: 'quarantine',
  operations: {
    list: {
      method: 'get',
      path: '/api/v1/quarantine',
      access: 'admin',
      effect: 'read',
      answers: { 200: '`{"quarantine": […]}`: [Quarantine](#quarantine)' },
    },
    release: {
      method: 'delete',
      path: '/api/v1/quarantine/:id',
      access: 'admin',
      effect: 'change',
      answers: { 200: 'the program may run again' },
      errors: ['QUARANTINE_NOT_FOUND', 'QUEUE_UNAVAILABLE'],
    },
  },
  create: (parts: QuarantineParts) => ({ list: listEntries(parts), release: release(parts) }),
});

function listEntries({ quarantine }: QuarantineParts): Handle {
  return async () => {
    await quarantine.look();
    return ok({ quarantine: quarantine.entries().map(toEntryView) });
  };
}

function release({ quarantine, logger }: QuarantineParts): Handle {
  return async (call) => {
    await quarantine.look();
    const entry = quarantine.get(parameterOf(call, 'id'));
    if (entry === undefined) throw new ClusterError('QUARANTINE_NOT_FOUND');
    const { version, id, owner, program, environment, until } = entry;
    const by = call.caller.keyId;
    const at = Date.now();
    await quarantine.put({ version, state: 'released', id, owner, program, environment, at, until, by }).catch((error: unknown) => {
      throw new ClusterError('QUEUE_UNAVAILABLE', 'Redis cannot be reached; it is not known whether the program was released.', {
        cause: error,
      });
    });
    logger.warn({ event: 'quarantine', quarantineId: id, owner, program, by }, 'a quarantined program was released by an admin');
    return ok({ id, state: 'released', by, releasedAt: at });
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
