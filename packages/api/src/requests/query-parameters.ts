import { ClusterError } from '@python3-cluster/shared';

/** The query's parameters, each given once. @throws ClusterError REQUEST_UNKNOWN_FIELD, REQUEST_INVALID */
export function readQuery(url: string, known: readonly string[]): ReadonlyMap<string, string> {
  const start = url.indexOf('?');
  const query = new Map<string, string>();
  if (start < 0) return query;
  for (const [name, value] of new URLSearchParams(url.slice(start + 1))) {
    if (!known.includes(name)) throw new ClusterError('REQUEST_UNKNOWN_FIELD', `There is no query parameter '${name.slice(0, 100)}' here.`);
    if (query.has(name)) throw new ClusterError('REQUEST_INVALID', `The query parameter '${name}' is given twice.`);
    query.set(name, value);
  }
  return query;
}
