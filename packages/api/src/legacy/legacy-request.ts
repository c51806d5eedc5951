import { JOB_MODES, type Config, type JobMode, type RunKind } from '@python3-cluster/shared';
import { readChoice } from '../requests/fields';
import { LIMIT_FIELDS, readLimits } from '../requests/job-limits';
import { PAYLOAD_FIELDS, readPayload, readProgram } from '../requests/job-payload';
import { defaultIsolation, readLane, type JobRequest } from '../requests/job-request';
import { assertKnownFields } from '../requests/known-fields';
import type { Members } from '../requests/members';

/** What the modern surface also takes, and the predecessor's did not know. */
const SUPERSET_FIELDS: readonly string[] = ['mode', 'lane', ...LIMIT_FIELDS];

/** Fields the predecessor's clients send as null for "none". */
const NULLABLE_FIELDS: readonly string[] = ['variables', 'args', 'kwargs'];

/** Reads the body of one of the predecessor's routes. Its callers wait, so code never runs twice. */
export function readLegacyRequest(kind: RunKind, members: Members, config: Config): JobRequest {
  const given = new Map([...members].filter(([name, slice]) => !(NULLABLE_FIELDS.includes(name) && slice.equals(NULL))));
  assertKnownFields(given, [...PAYLOAD_FIELDS[kind], ...SUPERSET_FIELDS]);
  return {
    kind,
    mode: readMode(given),
    isolation: defaultIsolation(config),
    lane: readLane(given),
    delivery: 'at-most-once',
    limits: readLimits(given, config),
    resultTtlMs: config.resultTtlSeconds * 1_000,
    payload: readPayload(kind, given),
    program: readProgram(kind, given),
  };
}

/** The predecessor wrote RESTRICTED and ADMIN. */
function readMode(members: Members): JobMode | undefined {
  const slice = members.get('mode');
  if (slice === undefined || slice.length > MAX_MODE_BYTES) return readChoice(members, 'mode', JOB_MODES);
  return readChoice(new Map([['mode', Buffer.from(slice.toString('utf8').toLowerCase())]]), 'mode', JOB_MODES);
}

const MAX_MODE_BYTES = 64;
const NULL = Buffer.from('null');
