import {
  ClusterError, DELIVERIES, JOB_KINDS, JOB_MODES, LANE_PATTERN, optionTable, PRIORITY,
  type Config, type Delivery, type JobIsolation, type JobKind, type JobLimits, type JobMode, type RetryRule, type RunKind,
} from '@python3-cluster/shared'; // prettier-ignore
import { readChoice, readInteger, readText } from './fields';
import { readLabels, type Labels } from './label-fields';
import { readRetries, RETRY_FIELDS } from './retry-fields';
import { LIMIT_FIELDS, readLimits } from './job-limits';
import { PAYLOAD_FIELDS, readPayload, readProgram } from './job-payload';
import { assertKnownFields } from './known-fields';
import type { Members } from './members';

/** A job as a caller asked for it, checked; who asks and what they may do is decided elsewhere. */
export interface JobRequest {
  readonly kind: RunKind;
  /** undefined: the caller leaves it to the credentials and the default. */
  readonly mode: JobMode | undefined;
  readonly isolation: JobIsolation;
  readonly lane: string;
  readonly delivery: Delivery;
  readonly limits: JobLimits;
  readonly resultTtlMs: number;
  /** From the moment on it may first be started; undefined: as long as its signature is believed. */
  readonly expiresInMs?: number | undefined;
  /** Undefined: it may start at once. */
  readonly delayMs?: number | undefined;
  /** Undefined: the default. */
  readonly priority?: number | undefined;
  readonly attempts?: number | undefined;
  readonly retry?: RetryRule | undefined;
  readonly labels?: Labels | undefined;
  readonly payload: Buffer;
  readonly program?: string | undefined;
}

export const DEFAULT_LANE = 'default';
const MAX_LANE_LENGTH = 32;
const SCRIPT = Buffer.from('"script"');
const RESULT_TTL_SECONDS = { least: 60, most: 604_800 };

const COMMON_FIELDS = [
  'kind', 'mode', 'isolation', 'lane', 'delivery', 'resultTtlSeconds', 'expiresInMs', 'delayMs', 'priority', 'labels', ...RETRY_FIELDS, ...LIMIT_FIELDS,
]; // prettier-ignore
const ALL_FIELDS = [...new Set([...COMMON_FIELDS, ...JOB_KINDS.flatMap((kind) => PAYLOAD_FIELDS[kind])])];

/** Reads the body of `POST /api/v1/jobs`. @throws ClusterError naming the first field that is wrong */
export function readJobRequest(members: Members, config: Config): JobRequest {
  assertKnownFields(members, ALL_FIELDS);
  const kind = readKind(members);
  assertFieldsOfKind(members, kind);
  const delivery = readChoice(members, 'delivery', DELIVERIES) ?? 'at-least-once';
  return {
    kind,
    mode: readChoice(members, 'mode', JOB_MODES),
    isolation: readIsolation(members, config),
    lane: readLane(members),
    delivery,
    limits: readLimits(members, config),
    resultTtlMs: readResultTtlMs(members, config),
    expiresInMs: readExpiresInMs(members, config),
    delayMs: readDelayMs(members, config),
    priority: readPriority(members),
    ...readRetries(members, delivery),
    labels: readLabels(members),
    payload: readPayload(kind, members),
    program: readProgram(kind, members),
  };
}

export function readLane(members: Members): string {
  const lane = readText(members, 'lane', { maxLength: MAX_LANE_LENGTH }) ?? DEFAULT_LANE;
  if (!LANE_PATTERN.test(lane))
    throw new ClusterError('REQUEST_INVALID', "'lane' must be a lane name: a-z, 0-9 and -, at most 32 characters.");
  return lane;
}

function readKind(members: Members): JobKind {
  if (members.get('kind')?.equals(SCRIPT) === true)
    throw new ClusterError('REQUEST_FIELD_NOT_SUPPORTED', "This version does not support 'kind': 'script'.");
  const kind = readChoice(members, 'kind', JOB_KINDS);
  if (kind !== undefined) return kind;
  if (members.has('code')) return 'exec';
  if (members.has('expression')) return 'eval';
  if (members.has('module')) return 'call';
  throw new ClusterError('REQUEST_INVALID', "Say what to run: 'code', 'expression', or 'module' and 'function'.");
}

function assertFieldsOfKind(members: Members, kind: JobKind): void {
  const known = [...COMMON_FIELDS, ...PAYLOAD_FIELDS[kind]];
  const foreign = [...members.keys()].find((name) => !known.includes(name));
  if (foreign !== undefined) throw new ClusterError('REQUEST_INVALID', `'${foreign}' does not belong to a job of kind '${kind}'.`);
}

/** What a caller asks for it gets; `auto` is for those who do not ask. */
function readIsolation(members: Members, config: Config): JobIsolation {
  return readChoice(members, 'isolation', ['fresh', 'warm']) ?? defaultIsolation(config);
}

export const defaultIsolation = (config: Config): JobIsolation => (config.warmAuto ? 'auto' : 'fresh');

function readResultTtlMs(members: Members, config: Config): number {
  const { least, most } = RESULT_TTL_SECONDS;
  const seconds = readInteger(members, 'resultTtlSeconds', least) ?? config.resultTtlSeconds;
  if (seconds > most) throw new ClusterError('REQUEST_INVALID', `'resultTtlSeconds' must be at most ${most}.`);
  return seconds * 1_000;
}

function readExpiresInMs(members: Members, config: Config): number | undefined {
  const most = config.jobValiditySeconds * 1_000;
  const expiresInMs = readInteger(members, 'expiresInMs', 100);
  if (expiresInMs !== undefined && expiresInMs > most)
    throw new ClusterError('REQUEST_INVALID', `'expiresInMs' must be at most ${most} (${optionTable.jobValiditySeconds.name}).`);
  return expiresInMs;
}

function readDelayMs(members: Members, config: Config): number | undefined {
  const most = config.delayCeilingSeconds * 1_000;
  const delayMs = readInteger(members, 'delayMs', 0);
  if (delayMs !== undefined && delayMs > most)
    throw new ClusterError(
      'LIMIT_ABOVE_CEILING',
      `'delayMs' must be at most ${most} (${optionTable.delayCeilingSeconds.name}), not ${delayMs}.`,
    );
  return delayMs === 0 ? undefined : delayMs;
}

function readPriority(members: Members): number | undefined {
  const priority = readInteger(members, 'priority', PRIORITY.mostUrgent);
  if (priority !== undefined && priority > PRIORITY.least)
    throw new ClusterError('REQUEST_INVALID', `'priority' must be at most ${PRIORITY.least}; ${PRIORITY.mostUrgent} is the most urgent.`);
  return priority;
}
