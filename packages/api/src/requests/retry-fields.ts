import {
  BACKOFF_CEILING_MS, ClusterError, MAX_STARTS, RETRYABLE_STATUSES, STARTS_CEILING,
  type Delivery, type RetryableStatus, type RetryRule,
} from '@python3-cluster/shared'; // prettier-ignore
import { readInteger, readStrings } from './fields';
import type { Members } from './members';
import { listNames } from './words';

export const RETRY_FIELDS = ['attempts', 'retryOn', 'backoffMs'] as const;

const DEFAULT_BACKOFF_MS = 1_000;

/** How often a job may be started, and after which ends again. @throws ClusterError REQUEST_INVALID */
export function readRetries(
  members: Members,
  delivery: Delivery,
): { readonly attempts: number | undefined; readonly retry: RetryRule | undefined } {
  const attempts = readAtMost(members, 'attempts', 1, STARTS_CEILING);
  const on = readRetryOn(members);
  const backoffMs = readAtMost(members, 'backoffMs', 0, BACKOFF_CEILING_MS);
  if (delivery === 'at-most-once' && ((attempts ?? 1) > 1 || on !== undefined)) {
    const field = on === undefined ? 'attempts' : 'retryOn';
    throw invalid(`'${field}' asks for more than one start, and a job with 'delivery': 'at-most-once' is never started twice.`);
  }
  if (on === undefined) {
    if (backoffMs !== undefined) throw invalid("'backoffMs' is the pause before a retry; say with 'retryOn' what is retried.");
    return { attempts, retry: undefined };
  }
  if ((attempts ?? MAX_STARTS) < 2) throw invalid("'retryOn' needs 'attempts' of at least 2; the first start counts.");
  return { attempts, retry: { on, backoffMs: backoffMs ?? DEFAULT_BACKOFF_MS } };
}

function readRetryOn(members: Members): RetryableStatus[] | undefined {
  const names = readStrings(members, 'retryOn');
  if (names === undefined) return undefined;
  const statuses = RETRYABLE_STATUSES.filter((status) => names.includes(status));
  if (names.length === 0 || statuses.length < names.length)
    throw invalid(`'retryOn' must name at least one of ${listNames(RETRYABLE_STATUSES, 'and')}, each once.`);
  return statuses;
}

function readAtMost(members: Members, name: string, least: number, most: number): number | undefined {
  const value = readInteger(members, name, least);
  if (value !== undefined && value > most) throw invalid(`'${name}' must be at most ${most}.`);
  return value;
}

const invalid = (message: string): ClusterError => new ClusterError('REQUEST_INVALID', message);
