import { createServer, type RequestListener, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { ClusterError } from '../errors/cluster-error';
import { createRefusal, endSoon, type RefusalOptions } from './bare-refusal';
import { MAX_HEAD_BYTES } from './unsound-request';

/** What Node's parser and its timers say of a connection. */
interface ParserError extends Error {
  readonly code?: string;
  readonly reason?: string;
}

/**
 * An HTTP server of which nothing is answered by Node itself. Node alone drops header fields after the thousandth, and answers
 * what its parser or its timers refuse with a bare status line. Here `listener` sees every request that can be read, those
 * that expect something and those without Host included (`findUnsoundness` is for it to ask), and the rest is refused in
 * the order of requests, so that nobody takes the refusal of one for the answer to another:
 *
 *   nothing unanswered on the connection          the refusal is written at once
 *   a request whose body went wrong               its own handler answers, told by 'error' on the request
 *   a whole request, and rubbish behind it        the refusal follows its answer
 *
 * A request that expects 100-continue gets it from who wants its body, by `writeContinue`.
 */
export function createSoundServer(timeouts: ServerOptions, listener: RequestListener, options: RefusalOptions): Server {
  const latest = new WeakMap<Duplex, ServerResponse>();
  const refused = new WeakSet<Duplex>();
  const refuse = createRefusal(options);
  const handle: RequestListener = (request, response) => {
    latest.set(request.socket, response);
    listener(request, response);
  };
  const server = createServer(
    { ...timeouts, maxHeaderSize: MAX_HEAD_BYTES, insecureHTTPParser: false, requireHostHeader: false, joinDuplicateHeaders: false },
    handle,
  );
  server.maxHeadersCount = 0;
  server.on('checkContinue', handle).on('checkExpectation', handle);
  server.on('clientError', (parserError: ParserError, socket) => {
    if (refused.has(socket)) return;
    refused.add(socket);
    if (!socket.writable || parserError.code === 'ECONNRESET') return void socket.destroy();
    const error = toClusterError(parserError);
    const response = latest.get(socket);
    if (response === undefined) return refuse(socket, error);
    const { req: request } = response;
    if (request.complete) return afterAnswer(response, () => refuse(socket, error));
    if (!response.headersSent) response.shouldKeepAlive = false;
    afterAnswer(response, () => endSoon(socket));
    if (request.listenerCount('error') > 0) request.emit('error', error);
  });
  // Without a listener Node hangs up without a word.
  server.on('connect', (_request, socket) => refuse(socket, new ClusterError('REQUEST_MALFORMED', 'This server opens no tunnels.')));
  return server;
}

function afterAnswer(response: ServerResponse, then: () => void): void {
  if (response.writableFinished) then();
  else response.once('finish', then);
}

function toClusterError({ code, reason = '' }: ParserError): ClusterError {
  if (code === 'HPE_HEADER_OVERFLOW') return new ClusterError('REQUEST_HEADERS_TOO_LARGE');
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW')
    return new ClusterError('REQUEST_TOO_LARGE', 'The extensions of the body’s chunks are too long.');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new ClusterError('REQUEST_TIMEOUT');
  // The same code stands for a length beside chunks.
  if (code === 'HPE_INVALID_TRANSFER_ENCODING' && !reason.includes('Content-Length')) return new ClusterError('REQUEST_TRANSFER_ENCODING');
  return new ClusterError('REQUEST_MALFORMED', reason === '' ? undefined : `The request cannot be read: ${reason}.`);
}
