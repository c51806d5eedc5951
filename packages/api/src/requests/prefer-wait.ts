import { ClusterError } from '@python3-cluster/shared';

const MAX_WAIT_SECONDS = 3_600;

/** Seconds of `Prefer: wait=N` (RFC 7240), or undefined; other preferences are the sender's wishes and may be ignored. */
export function readPreferredWait(header: string | readonly string[] | undefined): number | undefined {
  if (header === undefined) return undefined;
  // As nearly everybody writes it.
  const plain = typeof header === 'string' ? /^wait=([1-9]\d{0,2})$/.exec(header) : null;
  if (plain !== null) return Number(plain[1]);
  const preferences = String(header)
    .split(',')
    .map((preference) => preference.split(';')[0]?.trim() ?? '');
  // the first of a repeated preference counts
  const wait = preferences.map((preference) => /^wait(?:\s*=\s*(.*))?$/i.exec(preference)).find((match) => match !== null);
  if (wait === undefined) return undefined;
  const text = (wait?.[1] ?? '').replace(/^"(.*)"$/, '$1');
  const seconds = Number(text);
  if (!/^\d{1,6}$/.test(text) || seconds < 1 || seconds > MAX_WAIT_SECONDS) {
    throw new ClusterError('REQUEST_INVALID', `'Prefer: wait' must be a whole number of seconds from 1 to ${MAX_WAIT_SECONDS}.`);
  }
  return seconds;
}
