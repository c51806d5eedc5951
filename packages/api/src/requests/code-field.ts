import { ClusterError, inTurns, measuringJsonText, type TextMeasure } from '@python3-cluster/shared';
import { wrongType } from './fields';
import type { Members } from './members';

/** In UTF-8; the predecessor counted characters but said bytes. */
export const MAX_CODE_BYTES = 1_048_576;

const CODE_FIELDS = ['code', 'expression'] as const;
/** Shorter texts are read at once. */
const SMALL_BYTES = 65_536;

/** Of long texts, by slice: measured in turns of the event loop. */
const measured = new WeakMap<Buffer, TextMeasure>();

export async function measureLongCode(members: Members): Promise<void> {
  for (const field of CODE_FIELDS) {
    const slice = members.get(field);
    if (slice !== undefined && slice.length > SMALL_BYTES && slice[0] === QUOTE)
      measured.set(slice, await inTurns(measuringJsonText(slice)));
  }
}

/** The slice of `code` or `expression`. @throws ClusterError CODE_EMPTY, CODE_TOO_LARGE, REQUEST_INVALID */
export function readCode(members: Members, name: (typeof CODE_FIELDS)[number]): Buffer {
  const slice = members.get(name);
  if (slice === undefined) throw new ClusterError('CODE_EMPTY');
  if (slice[0] !== QUOTE) throw wrongType(name, 'a string');
  const { bytes, isBlank } = measured.get(slice) ?? measure(slice);
  if (bytes > MAX_CODE_BYTES) {
    throw new ClusterError('CODE_TOO_LARGE', `Code size exceeds maximum limit of ${MAX_CODE_BYTES} bytes (1MB). Provided: ${bytes} bytes`);
  }
  if (isBlank) throw new ClusterError('CODE_EMPTY');
  return slice;
}

function measure(slice: Buffer): TextMeasure {
  const text = JSON.parse(slice.toString('utf8')) as string;
  return { bytes: Buffer.byteLength(text), isBlank: text.trim() === '' };
}

const QUOTE = 0x22;
