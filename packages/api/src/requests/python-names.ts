import { ClusterError, TURN_NAMES, type Steps } from '@python3-cluster/shared';

/**
 * Names that become Python's: of variables and of keyword arguments. Python compares identifiers in their NFKC form
 * (PEP 3131), so two that look different can be one.
 */

export interface NameRule {
  /** A variable that is called like a keyword cannot be read; a keyword argument can arrive in `**kwargs`. */
  readonly mayBeKeyword: boolean;
}

/** In turns of the event loop. @throws ClusterError REQUEST_INVALID, saying which name and why */
export function* checkingPythonNames(field: string, names: Iterable<string>, { mayBeKeyword }: NameRule): Steps<void> {
  let count = 0;
  let spellings: Map<string, string> | undefined;
  const seen: string[] = [];
  for (const name of names) {
    count += 1;
    if (count % TURN_NAMES === 0) yield;
    if (!PLAIN_IDENTIFIER.test(name)) {
      assertIdentifier(field, name);
      spellings ??= new Map(seen.map((plain) => [plain, plain]));
    }
    const normal = spellings === undefined ? name : name.normalize('NFKC');
    if (!mayBeKeyword && KEYWORDS.has(normal))
      throw unfit(field, name, 'which is a keyword of Python and cannot be the name of a variable');
    if (spellings === undefined) {
      seen.push(name);
      continue;
    }
    const other = spellings.get(normal);
    if (other !== undefined) throw unfit(field, name, `which is the same to Python as ${shown(other)}`);
    spellings.set(normal, name);
  }
}

function assertIdentifier(field: string, name: string): void {
  if (!IDENTIFIER.test(name)) throw unfit(field, name, 'which is not a Python identifier');
  if (/^__.*__$/.test(name.normalize('NFKC'))) throw unfit(field, name, 'which Python keeps for itself');
}

const unfit = (field: string, name: string, why: string): ClusterError =>
  new ClusterError('REQUEST_INVALID', `'${field}' has the name ${shown(name)}, ${why}.`);

const shown = (name: string): string => JSON.stringify(name.slice(0, 100));

/** In ASCII, and not one of the names Python keeps for itself; the long way says which. */
const PLAIN_IDENTIFIER = /^(?!__)[A-Za-z_][A-Za-z0-9_]*$/;
const IDENTIFIER = /^[\p{XID_Start}_]\p{XID_Continue}*$/u;

/** `keyword.kwlist`, the same from 3.11 on. The soft ones (`match`, `type` …) are names like others. */
const KEYWORDS: ReadonlySet<string> = new Set([
  'False', 'None', 'True', 'and', 'as', 'assert', 'async', 'await', 'break', 'class', 'continue', 'def', 'del', 'elif', 'else', 'except',
  'finally', 'for', 'from', 'global', 'if', 'import', 'in', 'is', 'lambda', 'nonlocal', 'not', 'or', 'pass', 'raise', 'return', 'try',
  'while', 'with', 'yield',
]); // prettier-ignore
