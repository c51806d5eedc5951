import { isNearMiss } from '@python3-cluster/shared';

/** `'a', 'b' or 'c'` */
export function listNames(names: readonly string[], last: 'and' | 'or'): string {
  const quoted = names.map((name) => `'${name}'`);
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} ${last} ${quoted.at(-1)}`;
}

/** Longer ones are no slip of the finger, and comparing them takes time. */
const MOST_CHARACTERS = 100;

/**
 * ` Did you mean 'timeoutMs'?`, or nothing where no name is near: two letters off, other case or underscores (`timeout_ms`),
 * or the beginning of exactly one (`timeout`).
 */
export function suggestName(name: string, known: readonly string[]): string {
  const near = nearestName(name, known);
  return near === undefined ? '' : ` Did you mean '${near}'?`;
}

function nearestName(name: string, known: readonly string[]): string | undefined {
  if (name.length > MOST_CHARACTERS) return undefined;
  const bare = (text: string): string => text.toLowerCase().replaceAll(/[_-]/g, '');
  const asked = bare(name);
  const begun = known.filter((one) => asked.length >= LEAST_BEGINNING && bare(one).startsWith(asked));
  return (
    known.find((one) => bare(one) === asked) ??
    (asked.length >= LEAST_CHARACTERS ? known.find((one) => one.length >= LEAST_CHARACTERS && isNearMiss(asked, bare(one))) : undefined) ??
    (begun.length === 1 ? begun[0] : undefined)
  );
}

/** Two letters off a shorter one is another word. */
const LEAST_CHARACTERS = 4;
const LEAST_BEGINNING = 3;
