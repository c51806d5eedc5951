import { atOnce, ClusterError, inTurns, JsonScanError, slicingJsonObject, TURN_NAMES, type Steps } from '@python3-cluster/shared';
import type { Members } from './members';

/** Of `variables` and `kwargs`, those given twice counted twice. */
export const MAX_NAMES = 10_000;
export const MAX_NAME_LENGTH = 255;

const NAMED_FIELDS = ['variables', 'kwargs'] as const;
/** A UTF-16 code unit is written with six bytes at most, as an escape. */
const BOUNDS = { mostNames: MAX_NAMES, mostNameBytes: 6 * MAX_NAME_LENGTH };
/** Smaller objects are looked through at once. */
const SMALL_BYTES = 16_384;

/** Objects that have been looked through, in turns of the event loop, so that those who ask need not do it at once. */
const found = new WeakSet<Buffer>();

/** Looks through the large ones among the objects whose names become names of Python. @throws as `assertVariableNames` */
export async function checkLargeNames(members: Members): Promise<void> {
  for (const field of NAMED_FIELDS) {
    const slice = members.get(field);
    if (slice === undefined || slice.length <= SMALL_BYTES || slice[0] !== OPEN_BRACE) continue;
    await inTurns(checkingNames(field, slice));
    found.add(slice);
  }
}

/** Whether Python can use an object's names as variables. @throws ClusterError REQUEST_INVALID, REQUEST_TOO_MANY_NAMES */
export function assertVariableNames(field: string, slice: Buffer): void {
  if (!found.has(slice)) atOnce(checkingNames(field, slice));
}

function* checkingNames(field: string, slice: Buffer): Steps<void> {
  let names: Iterable<string>;
  try {
    names = (yield* slicingJsonObject(slice, 'last', BOUNDS)).keys();
  } catch (error) {
    if (!(error instanceof JsonScanError)) throw error;
    if (error.code !== 'names') throw new ClusterError('REQUEST_INVALID_JSON', error.message); // only a defect gets here
    throw new ClusterError('REQUEST_TOO_MANY_NAMES', `'${field}' may have ${MAX_NAMES} names of ${MAX_NAME_LENGTH} characters.`);
  }
  let count = 0;
  for (const name of names) {
    assertVariableName(field, name);
    count += 1;
    if (count % TURN_NAMES === 0) yield;
  }
}

function assertVariableName(field: string, name: string): void {
  if (name.length > MAX_NAME_LENGTH)
    throw new ClusterError('REQUEST_INVALID', `'${field}' has a name of more than ${MAX_NAME_LENGTH} characters.`);
  if (PLAIN_IDENTIFIER.test(name)) return;
  const shown = JSON.stringify(name.slice(0, 100));
  if (!IDENTIFIER.test(name))
    throw new ClusterError('REQUEST_INVALID', `'${field}' has the name ${shown}, which is not a Python identifier.`);
  if (isPythonsOwn(name)) throw new ClusterError('REQUEST_INVALID', `'${field}' has the name ${shown}, which Python keeps for itself.`);
}

/**
 * Python compares identifiers in their NFKC form. Only single characters become a low line, so the ends tell; the whole of a
 * name can become many times as long.
 */
const isPythonsOwn = (name: string): boolean => name.length >= 4 && `${name.slice(0, 2)}${name.slice(-2)}`.normalize('NFKC') === '____';

/** In ASCII, and not one of the names Python keeps for itself; the long way says which. */
const PLAIN_IDENTIFIER = /^(?!__)[A-Za-z_][A-Za-z0-9_]*$/;
const IDENTIFIER = /^[\p{XID_Start}_]\p{XID_Continue}*$/u;
const OPEN_BRACE = 0x7b;
