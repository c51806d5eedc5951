import { ClusterError, OTHER_NAME, programIdOfSlices, programOf, type RunKind } from '@python3-cluster/shared';
import { readCode } from './code-field';
import { readArray, readNamedValues, readText } from './fields';
import type { Members } from './members';
import { KEYWORD_ARGUMENTS, VARIABLES } from './variable-names';

const MAX_NAME_LENGTH = 255;

/** Fields that make up the payload of each kind; `docs/wire-protocol.md` §1.2. */
export const PAYLOAD_FIELDS: Readonly<Record<RunKind, readonly string[]>> = {
  exec: ['code', 'variables'],
  eval: ['expression', 'variables'],
  call: ['module', 'function', 'args', 'kwargs'],
  check: ['code'],
};

/** The payload as the worker node passes it to Python: the caller's own slices, put together anew. */
export function readPayload(kind: RunKind, members: Members): Buffer {
  return joinMembers(payloadMembers[kind](members));
}

/** What is longer, as JSON, is counted together: to hash it would hold the loop. */
const MOST_HASHED_BYTES = 1_048_576;

/** What the job is counted under: the name of what it calls, or the digest of its code, which quarantine goes by, too. */
export function readProgram(kind: RunKind, members: Members): string | undefined {
  if (kind === 'check') return undefined;
  if (kind !== 'call') {
    const code = members.get(kind === 'exec' ? 'code' : 'expression');
    return code === undefined || code.length > MOST_HASHED_BYTES ? OTHER_NAME : programIdOfSlices(kind, [code]);
  }
  const text = (name: string): string => readText(members, name, { maxLength: MAX_NAME_LENGTH }) ?? '';
  return programOf(text('module'), text('function'));
}

const payloadMembers: Readonly<Record<RunKind, (members: Members) => Readonly<Record<string, Buffer>>>> = {
  exec: (members) => ({ code: readCode(members, 'code'), variables: readNamedValues(members, 'variables', VARIABLES) ?? EMPTY_OBJECT }),
  eval: (members) => ({
    expression: readCode(members, 'expression'),
    variables: readNamedValues(members, 'variables', VARIABLES) ?? EMPTY_OBJECT,
  }),
  call: (members) => ({
    module: readName(members, 'module'),
    function: readName(members, 'function'),
    args: readArray(members, 'args') ?? EMPTY_ARRAY,
    kwargs: readNamedValues(members, 'kwargs', KEYWORD_ARGUMENTS) ?? EMPTY_OBJECT,
  }),
  check: (members) => ({ code: readCode(members, 'code') }),
};

function readName(members: Members, name: string): Buffer {
  const text = readText(members, name, { maxLength: MAX_NAME_LENGTH });
  const slice = members.get(name);
  if (text === undefined || slice === undefined) throw new ClusterError('REQUEST_INVALID', `'${name}' is missing.`);
  return slice;
}

function joinMembers(members: Readonly<Record<string, Buffer>>): Buffer {
  const parts: Buffer[] = [];
  let separator = '{';
  for (const [name, slice] of Object.entries(members)) {
    parts.push(Buffer.from(`${separator}"${name}":`), slice);
    separator = ',';
  }
  return Buffer.concat([...parts, Buffer.from('}')]);
}

const EMPTY_OBJECT = Buffer.from('{}');
const EMPTY_ARRAY = Buffer.from('[]');
