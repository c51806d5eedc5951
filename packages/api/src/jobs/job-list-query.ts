import { ClusterError, isRoleAtLeast, JOB_KINDS, JOB_STATES, laneOfJobId, LANE_PATTERN, OUTCOME_STATUSES } from '@python3-cluster/shared';
import type { Caller } from '../requests/caller';
import type { JobFilter, ListPosition, ListQuery } from '../dispatch/job-list';
import { LABEL_NAME, LABEL_NAME_WORDS } from '../requests/label-fields';
import { listNames } from '../requests/words';

/** The query parameters of the list of jobs. */
export const LIST_PARAMETERS = ['state', 'status', 'lane', 'kind', 'label', 'limit', 'cursor', 'owner'] as const;
const LIMIT = { default: 50, most: 200 };
const RUN_KINDS = [...JOB_KINDS, 'check'] as const;

/** Reads the query of `GET /api/v1/jobs`. @throws ClusterError naming the first parameter that is wrong */
export function readListQuery(query: ReadonlyMap<string, string>, caller: Caller): ListQuery {
  const lane = query.get('lane');
  if (lane !== undefined && !LANE_PATTERN.test(lane)) throw invalid('lane', 'a lane name');
  return {
    owner: readOwner(query.get('owner'), caller),
    filter: {
      state: readChoice(query, 'state', JOB_STATES),
      status: readChoice(query, 'status', OUTCOME_STATUSES),
      lane,
      kind: readChoice(query, 'kind', RUN_KINDS),
      label: readLabel(query.get('label')),
    },
    limit: readLimit(query.get('limit')),
    after: readCursor(query.get('cursor')),
  };
}

/** Where a caller goes on reading. Tells nothing that the last job of its page did not. */
export const formatCursor = ({ acceptedAt, jobId }: ListPosition): string =>
  Buffer.from(`${acceptedAt}:${jobId}`, 'latin1').toString('base64url');

/** Everybody's jobs are the admins' to see. @throws ClusterError AUTH_ROLE_INSUFFICIENT */
function readOwner(owner: string | undefined, caller: Caller): string | undefined {
  if (isRoleAtLeast(caller.role, 'admin')) return owner;
  if (owner !== undefined && owner !== caller.owner)
    throw new ClusterError('AUTH_ROLE_INSUFFICIENT', "'owner' needs a key with role 'admin'.");
  return caller.owner;
}

function readCursor(cursor: string | undefined): ListPosition | undefined {
  if (cursor === undefined) return undefined;
  const text = Buffer.from(cursor, 'base64url').toString('latin1');
  const [, acceptedAt = '', jobId = ''] = /^(\d{1,15}):(.+)$/.exec(text) ?? [];
  if (laneOfJobId(jobId) === undefined) throw invalid('cursor', "a 'nextCursor' of an earlier answer");
  return { acceptedAt: Number(acceptedAt), jobId };
}

function readLabel(text: string | undefined): JobFilter['label'] {
  if (text === undefined) return undefined;
  const colon = text.indexOf(':');
  const name = text.slice(0, Math.max(0, colon));
  if (!LABEL_NAME.test(name)) throw invalid('label', `name:value, and a name is ${LABEL_NAME_WORDS}`);
  return { name, value: text.slice(colon + 1) };
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return LIMIT.default;
  const limit = Number(text);
  if (!/^\d{1,3}$/.test(text) || limit < 1 || limit > LIMIT.most) throw invalid('limit', `a whole number from 1 to ${LIMIT.most}`);
  return limit;
}

function readChoice<const T extends string>(query: ReadonlyMap<string, string>, name: string, choices: readonly T[]): T | undefined {
  const text = query.get(name);
  const choice = choices.find((known) => known === text);
  if (text !== undefined && choice === undefined) throw invalid(name, listNames(choices, 'or'));
  return choice;
}

const invalid = (name: string, words: string): ClusterError => new ClusterError('REQUEST_INVALID', `'${name}' must be ${words}.`);
