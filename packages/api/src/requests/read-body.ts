import { ClusterError, findTrailers, inTurns, isClusterError, JsonScanError, slicingJsonObject } from '@python3-cluster/shared';
import type { Request, RequestHandler, Response } from 'express';
import type { BodyBudget, BodyShare } from './body-budget';
import { isJsonMediaType } from './media-type';
import type { Members } from './members';
import { measureLongCode } from './code-field';
import { readRequestState } from './request-state';
import { checkLargeNames } from './variable-names';

export interface BodyReaderOptions {
  readonly maxBodyBytes: number;
  readonly bodies: BodyBudget;
}

/** Reads the body as bytes; nothing is decoded or parsed before it is looked at by `readMembers`. */
export function createBodyReader({ maxBodyBytes, bodies }: BodyReaderOptions): RequestHandler {
  return (request, response, next) => {
    const { 'content-length': length, 'transfer-encoding': transfer, expect } = request.headers;
    if (length === undefined && transfer === undefined) return next();
    const declaredBytes = Number(length ?? 0);
    const share = bodies.open(declaredBytes > maxBodyBytes ? 0 : declaredBytes);
    readRequestState(response).bodyShare = share;
    response.once('close', () => share.release());
    if (expect !== undefined) response.writeContinue();
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
      if (isOver) return;
      // What is too much is read to its end, and dropped: a sender in the middle of a write would not hear the answer.
      if (bytes > maxBodyBytes) chunks.length = 0;
      else if (hasRoom(share, bytes, end)) chunks.push(chunk);
      else chunks.length = 0;
    });
    request.on('end', () => {
      if (bytes > maxBodyBytes) return end(new ClusterError('REQUEST_TOO_LARGE', `The request body is over ${maxBodyBytes} bytes.`));
      const trailers = findTrailers(request);
      if (trailers !== undefined) return end(trailers);
      request.body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
      chunks.length = 0;
      end();
    });
    request.on('aborted', () => end(new ClusterError('REQUEST_INVALID', 'The request is not valid: request aborted')));
    // Of the server where it cannot read the body (`sound-server.ts`), else of a connection that broke.
    request.on('error', (error) =>
      end(isClusterError(error) ? error : new ClusterError('REQUEST_INVALID', 'The request is not valid: request aborted')),
    );
  };
}

/** A body without a declared length takes its share as it comes. */
function hasRoom(share: BodyShare, bytes: number, end: (error: unknown) => void): boolean {
  try {
    share.grow(bytes);
    return true;
  } catch (error) {
    end(error);
    return false;
  }
}

/** Lets go of a body whose job is queued: its caller may wait for an hour. */
export function releaseBody(request: Request, response: Response): void {
  request.body = undefined;
  readRequestState(response).bodyShare?.release();
}

export interface ReadMembersOptions {
  /** The predecessor's server did not look at the content type, and its users send none, or text/plain. */
  readonly lenientMediaType: boolean;
}

/** No request has so many fields, nor such long names of fields. */
const FIELD_BOUNDS = { mostNames: 64, mostNameBytes: 1_024 };

/**
 * Looks through all that may be large in turns of the event loop. What reads the fields later finds them small, or looked through.
 * @throws ClusterError REQUEST_MEDIA_TYPE, REQUEST_INVALID_JSON, REQUEST_TOO_DEEP, REQUEST_TOO_MANY_NAMES, and of large fields those of `readCode` and `assertVariableNames`
 */
export async function readMembers(request: Request, options: ReadMembersOptions): Promise<Members> {
  assertMediaType(request.headers['content-type'], options);
  const body: unknown = request.body;
  if (!Buffer.isBuffer(body) || body.length === 0)
    throw new ClusterError('REQUEST_INVALID_JSON', 'The request has no body; send a JSON object.');
  return sliceMembers(body);
}

async function sliceMembers(body: Buffer): Promise<Members> {
  try {
    const members = await inTurns(slicingJsonObject(body, 'refuse', FIELD_BOUNDS));
    await measureLongCode(members);
    await checkLargeNames(members);
    return members;
  } catch (error) {
    if (!(error instanceof JsonScanError)) throw error;
    if (error.code === 'names') throw new ClusterError('REQUEST_TOO_MANY_NAMES', `The request body is not accepted: ${error.message}.`);
    if (error.code === 'depth') throw new ClusterError('REQUEST_TOO_DEEP', `The request body is not accepted: ${error.message}.`);
    throw new ClusterError('REQUEST_INVALID_JSON', `The request body is not valid JSON: ${error.message}.`);
  }
}

function assertMediaType(contentType: string | undefined, { lenientMediaType }: ReadMembersOptions): void {
  if (isJsonMediaType(contentType)) return;
  if (lenientMediaType && (contentType === undefined || /^text\/plain\s*(;|$)/i.test(contentType))) return;
  throw new ClusterError('REQUEST_MEDIA_TYPE');
}
