import { ClusterError } from '@python3-cluster/shared';
import type { IncomingHttpHeaders } from 'node:http';
import type { Members } from './members';
import { suggestName } from './words';

/** Part of the API's design, but not built in this version: refused by name rather than ignored. */
const NOT_BUILT_FIELDS: readonly string[] = ['script', 'version', 'webhook', 'environment'];

/** @throws ClusterError REQUEST_FIELD_NOT_SUPPORTED, REQUEST_UNKNOWN_FIELD */
export function assertKnownFields(members: Members, known: readonly string[]): void {
  for (const name of members.keys()) {
    if (known.includes(name)) continue;
    if (NOT_BUILT_FIELDS.includes(name)) throw new ClusterError('REQUEST_FIELD_NOT_SUPPORTED', `This version does not support '${name}'.`);
    throw new ClusterError('REQUEST_UNKNOWN_FIELD', `There is no field '${name.slice(0, 100)}' here.${suggestName(name, known)}`);
  }
}

/** The predecessor's routes only: jobs there are never started twice, and their callers wait. */
export function assertSupportedHeaders(headers: IncomingHttpHeaders): void {
  if (headers['idempotency-key'] !== undefined) {
    throw new ClusterError(
      'REQUEST_FIELD_NOT_SUPPORTED',
      "This route does not support the header 'Idempotency-Key'; use POST /api/v1/jobs.",
    );
  }
}
