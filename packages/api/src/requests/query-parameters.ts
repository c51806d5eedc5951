import { ClusterError } from '@python3-cluster/shared';
import { suggestName } from './words';

/** Of every route: how its answer is written, and nothing of what it says (`responses/pretty-json.ts`). */
const PRETTY = 'pretty';

const unknownParameter = (name: string, known: readonly string[]): ClusterError =>
  new ClusterError(
    'REQUEST_UNKNOWN_FIELD',
    `There is no query parameter '${name.slice(0, 100)}' here.${suggestName(name, [...known, PRETTY])}`,
  );

/** The query's parameters, each given once. @throws ClusterError REQUEST_UNKNOWN_FIELD, REQUEST_INVALID */
export function readQuery(url: string, known: readonly string[]): ReadonlyMap<string, string> {
  const start = url.indexOf('?');
  const query = new Map<string, string>();
  if (start < 0) return query;
  for (const [name, value] of new URLSearchParams(url.slice(start + 1))) {
    if (name === PRETTY) continue;
    if (!known.includes(name)) throw unknownParameter(name, known);
    if (query.has(name)) throw new ClusterError('REQUEST_INVALID', `The query parameter '${name}' is given twice.`);
    query.set(name, value);
  }
  return query;
}
