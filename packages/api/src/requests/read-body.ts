import { ClusterError, inTurns, JsonScanError, slicingJsonObject } from '@python3-cluster/shared';
import type { Request, RequestHandler } from 'express';
import { isJsonMediaType } from './media-type';
import { findNames } from './names-in';

/** The members of the request's JSON object, each as the caller wrote it. */
export type Members = ReadonlyMap<string, Buffer>;

/** Reads the body as bytes; nothing is decoded or parsed before it is looked at by `readMembers`. */
export function createBodyReader(maxBodyBytes: number): RequestHandler {
  return (request, _response, next) => {
    const { 'content-length': length, 'transfer-encoding': transfer, 'content-encoding': encoding } = request.headers;
    if (length === undefined && transfer === undefined) return next();
    // A small body must not become a large one.
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
      return next(new ClusterError('REQUEST_MEDIA_TYPE', 'Send the body without a content encoding.'));
    const chunks: Buffer[] = [];
    let bytes = 0;
    let isOver = false;
    const end = (error?: unknown): void => {
      if (isOver) return;
      isOver = true;
      next(error);
    };
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      // What is too much is read to its end, and dropped: a sender in the middle of a write would not hear the answer.
      if (bytes <= maxBodyBytes) chunks.push(chunk);
      else chunks.length = 0;
    });
    request.on('end', () => {
      if (bytes > maxBodyBytes) return end(new ClusterError('REQUEST_TOO_LARGE', `The request body is over ${maxBodyBytes} bytes.`));
      request.body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, bytes);
      end();
    });
    const onLoss = (): void => end(new ClusterError('REQUEST_INVALID', 'The request is not valid: request aborted'));
    request.on('aborted', onLoss);
    request.on('error', onLoss);
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
