import { ClusterError } from '@python3-cluster/shared';
import { readTextMembers } from './fields';
import type { Members } from './members';

export type Labels = Readonly<Record<string, string>>;

export const MAX_LABELS = 16;
/** A name holds no colon, so that `name:value` says which is which. */
export const LABEL_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,62})$/;
export const MAX_LABEL_VALUE = 255;
const MAX_LABEL_NAME = 63;

/** The caller's own marks on a job. An empty object is none. @throws ClusterError REQUEST_INVALID */
export function readLabels(members: Members): Labels | undefined {
  const pairs = readTextMembers(members, 'labels', { maxLength: MAX_LABEL_VALUE, mostMembers: MAX_LABELS, mostNameLength: MAX_LABEL_NAME });
  if (pairs === undefined || pairs.length === 0) return undefined;
  const unfit = pairs.find(([name]) => !LABEL_NAME.test(name));
  if (unfit !== undefined)
    throw new ClusterError(
      'REQUEST_INVALID',
      `'labels' has the name ${JSON.stringify(unfit[0].slice(0, 100))}; a name is ${LABEL_NAME_WORDS}.`,
    );
  return Object.fromEntries(pairs);
}

export const LABEL_NAME_WORDS = '1 to 63 letters, digits, dots, _, - or /, and begins with a letter or digit';
