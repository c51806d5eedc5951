import { ClusterError, inTurns, JsonScanError, sliceJsonObject, slicingJsonObject, TURN_BYTES } from '@python3-cluster/shared';

/** Of large objects, by slice: looked for in turns of the event loop, so that those who ask need not scan them at once. */
const known = new WeakMap<Buffer, readonly string[]>();

/** Looks through the large objects among the members, whose text has been checked. */
export async function findNames(members: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const slice of members.values()) {
    if (slice.length > TURN_BYTES && slice[0] === OPEN_BRACE)
      known.set(slice, [...(await inTurns(slicingJsonObject(slice, 'last'))).keys()]);
  }
}

/** The names of an object's members, each once. */
export function namesIn(slice: Buffer): Iterable<string> {
  try {
    return known.get(slice) ?? sliceJsonObject(slice, 'last').keys();
  } catch (error) {
    // one level less of nesting than the body it stands in, so only a defect gets here
    throw error instanceof JsonScanError ? new ClusterError('REQUEST_INVALID_JSON', error.message) : error;
  }
}

const OPEN_BRACE = 0x7b;
