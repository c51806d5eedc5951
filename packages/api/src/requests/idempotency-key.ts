import { createHash, type Hash } from 'node:crypto';
import { ClusterError, inTurns, TURN_BYTES, type JobMode, type Steps } from '@python3-cluster/shared';
import type { Request } from 'express';

/** The header `Idempotency-Key`, or undefined. @throws ClusterError REQUEST_INVALID */
export function readIdempotencyKey(request: Request): string | undefined {
  if (request.headers['idempotency-key'] === undefined) return undefined;
  const [key, ...others] = request.headersDistinct['idempotency-key'] ?? [];
  if (key === undefined) return undefined;
  if (others.length > 0 || !/^[\x20-\x7e]{1,200}$/.test(key))
    throw new ClusterError('REQUEST_INVALID', "'Idempotency-Key' must be one header of 1 to 200 printable ASCII characters.");
  return key;
}

/** What makes two requests the same: route, body as sent, and the mode, which headers may decide. */
export async function fingerprintOf(request: Request, mode: JobMode): Promise<string> {
  const body: unknown = request.body;
  const hash = createHash('sha256').update(`${request.method} ${request.path}\n${mode}\n`);
  if (Buffer.isBuffer(body)) await inTurns(hashing(hash, body));
  return hash.digest('base64url');
}

function* hashing(hash: Hash, bytes: Buffer): Steps<void> {
  for (let start = 0; start < bytes.length; start += TURN_BYTES) {
    if (start > 0) yield;
    hash.update(bytes.subarray(start, start + TURN_BYTES));
  }
}
