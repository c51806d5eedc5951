import { ClusterError } from '@python3-cluster/shared';
import { wrongType } from './fields';
import type { Members } from './read-body';

/** In UTF-8; the predecessor counted characters but said bytes. */
export const MAX_CODE_BYTES = 1_048_576;

/** The slice of `code` or `expression`. @throws ClusterError CODE_EMPTY, CODE_TOO_LARGE, REQUEST_INVALID */
export function readCode(members: Members, name: 'code' | 'expression'): Buffer {
  const slice = members.get(name);
  if (slice === undefined) throw new ClusterError('CODE_EMPTY');
  if (slice[0] !== QUOTE) throw wrongType(name, 'a string');
  const text = JSON.parse(slice.toString('utf8')) as string;
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_CODE_BYTES) {
    throw new ClusterError('CODE_TOO_LARGE', `Code size exceeds maximum limit of ${MAX_CODE_BYTES} bytes (1MB). Provided: ${bytes} bytes`);
  }
  if (text.trim() === '') throw new ClusterError('CODE_EMPTY');
  return slice;
}

const QUOTE = 0x22;
