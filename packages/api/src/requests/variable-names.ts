import { atOnce, ClusterError, inTurns, JsonScanError, slicingJsonObject, type Steps } from '@python3-cluster/shared';
import { checkingPythonNames, type NameRule } from './python-names';
import type { Members } from './members';

/** Of `variables` and `kwargs`, those given twice counted twice. */
export const MAX_NAMES = 10_000;
export const MAX_NAME_LENGTH = 255;

export const VARIABLES: NameRule = { mayBeKeyword: false };
export const KEYWORD_ARGUMENTS: NameRule = { mayBeKeyword: true };
const NAMED_FIELDS = [
  ['variables', VARIABLES],
  ['kwargs', KEYWORD_ARGUMENTS],
] as const;
/** A UTF-16 code unit is written with six bytes at most, as an escape. */
const BOUNDS = { mostNames: MAX_NAMES, mostNameBytes: 6 * MAX_NAME_LENGTH };
/** Smaller objects are looked through at once. */
const SMALL_BYTES = 16_384;

/** Objects that have been looked through, in turns of the event loop, so that those who ask need not do it at once. */
const found = new WeakSet<Buffer>();

/** Looks through the large ones among the objects whose names become names of Python. @throws as `assertVariableNames` */
export async function checkLargeNames(members: Members): Promise<void> {
  for (const [field, rule] of NAMED_FIELDS) {
    const slice = members.get(field);
    if (slice === undefined || slice.length <= SMALL_BYTES || slice[0] !== OPEN_BRACE) continue;
    await inTurns(checkingNames(field, slice, rule));
    found.add(slice);
  }
}

/** Whether Python can use an object's names as variables. @throws ClusterError REQUEST_INVALID, REQUEST_TOO_MANY_NAMES */
export function assertVariableNames(field: string, slice: Buffer, rule: NameRule): void {
  if (!found.has(slice)) atOnce(checkingNames(field, slice, rule));
}

function* checkingNames(field: string, slice: Buffer, rule: NameRule): Steps<void> {
  let names: Iterable<string>;
  try {
    names = (yield* slicingJsonObject(slice, 'last', BOUNDS)).keys();
  } catch (error) {
    if (!(error instanceof JsonScanError)) throw error;
    if (error.code !== 'names') throw new ClusterError('REQUEST_INVALID_JSON', error.message); // only a defect gets here
    throw new ClusterError('REQUEST_TOO_MANY_NAMES', `'${field}' may have ${MAX_NAMES} names of ${MAX_NAME_LENGTH} characters.`);
  }
  yield* checkingPythonNames(field, bounded(field, names), rule);
}

function* bounded(field: string, names: Iterable<string>): Iterable<string> {
  for (const name of names) {
    if (name.length > MAX_NAME_LENGTH)
      throw new ClusterError('REQUEST_INVALID', `'${field}' has a name of more than ${MAX_NAME_LENGTH} characters.`);
    yield name;
  }
}

const OPEN_BRACE = 0x7b;
