import { ClusterError, inTurns, JsonScanError, slicingJsonObject } from '@python3-cluster/shared';
import { raw, type Request, type RequestHandler } from 'express';
import { isJsonMediaType } from './media-type';
import { findNames } from './names-in';

/** The members of the request's JSON object, each as the caller wrote it. */
export type Members = ReadonlyMap<string, Buffer>;

/** Reads the body as bytes; nothing is decoded or parsed before it is looked at by `readMembers`. */
export function createBodyReader(maxBodyBytes: number): RequestHandler {
  // inflate off: a small body must not become a large one
  const read = raw({ type: () => true, limit: maxBodyBytes, inflate: false });
  return (request, response, next) => {
    read(request, response, (error?: unknown) => next(error === undefined ? undefined : toBodyError(error, maxBodyBytes)));
  };
}

export interface ReadMembersOptions {
  /** The predecessor's server did not look at the content type, and its users send none, or text/plain. */
  readonly lenientMediaType: boolean;
}

/** @throws ClusterError REQUEST_MEDIA_TYPE, REQUEST_INVALID_JSON, REQUEST_TOO_DEEP */
export async function readMembers(request: Request, options: ReadMembersOptions): Promise<Members> {
  assertMediaType(request.headers['content-type'], options);
  const body: unknown = request.body;
  if (!Buffer.isBuffer(body) || body.length === 0)
    throw new ClusterError('REQUEST_INVALID_JSON', 'The request has no body; send a JSON object.');
  return sliceMembers(body);
}

async function sliceMembers(body: Buffer): Promise<Members> {
  try {
    const members = await inTurns(slicingJsonObject(body));
    await findNames(members);
    return members;
  } catch (error) {
    if (!(error instanceof JsonScanError)) throw error;
    if (error.code === 'depth') throw new ClusterError('REQUEST_TOO_DEEP', `The request body is not accepted: ${error.message}.`);
    throw new ClusterError('REQUEST_INVALID_JSON', `The request body is not valid JSON: ${error.message}.`);
  }
}

function assertMediaType(contentType: string | undefined, { lenientMediaType }: ReadMembersOptions): void {
  if (isJsonMediaType(contentType)) return;
  if (lenientMediaType && (contentType === undefined || /^text\/plain\s*(;|$)/i.test(contentType))) return;
  throw new ClusterError('REQUEST_MEDIA_TYPE');
}

function toBodyError(error: unknown, maxBodyBytes: number): unknown {
  const type = typeof error === 'object' && error !== null && 'type' in error ? error.type : undefined;
  if (type === 'entity.too.large') return new ClusterError('REQUEST_TOO_LARGE', `The request body is over ${maxBodyBytes} bytes.`);
  if (type === 'encoding.unsupported') return new ClusterError('REQUEST_MEDIA_TYPE', 'Send the body without a content encoding.');
  return error;
}
