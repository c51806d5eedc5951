import { isWrongType, parseQueueEntry, type LargeContent, type RedisKeys } from '@python3-cluster/shared';
import type { RejectionCode } from './verify-job';

export type LoadedContent =
  { readonly ok: true; readonly sealed: Buffer } | { readonly ok: false; readonly code: RejectionCode; readonly message: string };

interface Received {
  readonly lane: string;
  readonly jobId: string;
  /** As it stood in the queue: whoever can write to Redis writes there what he likes. */
  readonly entry: unknown;
}

/** The sealed job of a queue entry. Only a failure of Redis is thrown: then the job is tried again. */
export async function loadContent(
  large: Pick<LargeContent, 'read'>,
  keys: RedisKeys,
  { lane, jobId, entry }: Received,
): Promise<LoadedContent> {
  const parsed = parseQueueEntry(entry);
  if (parsed === undefined) {
    return { ok: false, code: 'JOB_SIGNATURE_INVALID', message: 'its queue entry is none that an API replica writes' };
  }
  if ('sealed' in parsed) return { ok: true, sealed: Buffer.from(parsed.sealed, 'utf8') };
  const sealed = await large.read(keys.jobPayload(lane, jobId)).catch((error: unknown) => {
    if (isWrongType(error)) return undefined;
    throw error;
  });
  return sealed === undefined ? { ok: false, code: 'PAYLOAD_MISSING', message: 'the payload of the job is gone' } : { ok: true, sealed };
}
