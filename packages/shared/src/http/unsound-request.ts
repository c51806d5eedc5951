import type { IncomingMessage } from 'node:http';
import { ClusterError } from '../errors/cluster-error';

/** More header fields than this are refused. Browsers behind two proxies send about forty. */
export const MAX_HEADER_FIELDS = 128;

/** Bytes of the request line and all header fields together. Node's parser refuses what is longer. */
export const MAX_HEAD_BYTES = 16_384;

/**
 * Why a request must not be handled: somebody else on its way may read it in another way than we do. Undefined where
 * there is but one way to read it. Costs a look at each field's name.
 */
export function findUnsoundness(request: IncomingMessage): ClusterError | undefined {
  const { headers, rawHeaders } = request;
  if (rawHeaders.length > 2 * MAX_HEADER_FIELDS)
    return new ClusterError('REQUEST_HEADERS_TOO_LARGE', `The request has more than ${MAX_HEADER_FIELDS} header fields.`);
  const names = Object.keys(headers);
  return (
    (2 * names.length === rawHeaders.length ? undefined : findRepeated(rawHeaders)) ??
    findDisguised(names) ??
    findBadTarget(request) ??
    findBadFraming(request) ??
    (headers.expect === undefined || /^100-continue$/i.test(headers.expect) ? undefined : new ClusterError('REQUEST_EXPECTATION'))
  );
}

/** Whether what follows on the connection may be part of this very request, to somebody else: it must not be handled. */
export const isFramingFault = ({ code }: ClusterError): boolean => code === 'REQUEST_MALFORMED' || code === 'REQUEST_TRANSFER_ENCODING';

/** Fields after the body arrive when everything has been decided, so there can be no such fields. */
export function findTrailers(request: IncomingMessage): ClusterError | undefined {
  return request.rawTrailers.length === 0 ? undefined : malformed('The request has header fields after its body.');
}

/** Of the others, lists are joined, which loses nothing. */
function findRepeated(rawHeaders: readonly string[]): ClusterError | undefined {
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    // Node's object of headers cannot hold it.
    if (name === '__proto__') return malformed("The header field '__proto__' is not accepted.");
    if (seen.has(name) && SINGLE_FIELDS.has(name)) return malformed(`The header field '${name}' is given twice.`);
    seen.add(name);
  }
  return undefined;
}

/** Servers that make variables of fields read `X_API_Key` as `X-API-Key`; here it would go unseen. */
function findDisguised(names: readonly string[]): ClusterError | undefined {
  for (const name of names) {
    if (!name.includes('_')) continue;
    const meant = name.replaceAll('_', '-');
    if (SINGLE_FIELDS.has(meant) || meant.startsWith('x-forwarded-') || meant === 'forwarded')
      return malformed(`The header field '${meant}' is written with an underscore.`);
  }
  return undefined;
}

function findBadTarget({ headers, url = '', httpVersion }: IncomingMessage): ClusterError | undefined {
  const { host } = headers;
  if (host === undefined && httpVersion === '1.1') return malformed("The header field 'Host' is missing.");
  if (url.includes('#')) return malformed('The target of the request has a fragment.');
  // Others would go by the target's host, and we by the header's.
  if (!url.startsWith('/') && url !== '*' && (!URL.canParse(url) || new URL(url).host !== host?.toLowerCase()))
    return malformed("The target of the request and the header field 'Host' differ.");
  return undefined;
}

function findBadFraming({ headers, httpVersion }: IncomingMessage): ClusterError | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return malformed('This server speaks HTTP/1.1.');
  const { 'transfer-encoding': transferEncoding, 'content-encoding': contentEncoding, 'content-length': contentLength } = headers;
  if (transferEncoding !== undefined) {
    if (transferEncoding.toLowerCase() !== 'chunked') return new ClusterError('REQUEST_TRANSFER_ENCODING');
    if (httpVersion === '1.0') return malformed('HTTP/1.0 has no Transfer-Encoding.');
    if (contentLength !== undefined) return malformed('The request has both Content-Length and Transfer-Encoding.');
  }
  // A small body must not become a large one.
  const hasBody = transferEncoding !== undefined || (contentLength ?? '0') !== '0';
  if (hasBody && contentEncoding !== undefined && contentEncoding.toLowerCase() !== 'identity')
    return new ClusterError('REQUEST_MEDIA_TYPE', 'Send the body without a content encoding.');
  return undefined;
}

const malformed = (message: string): ClusterError => new ClusterError('REQUEST_MALFORMED', message);

/** Fields that Node keeps only the first of, and those by which requests are judged here. */
const SINGLE_FIELDS: ReadonlySet<string> = new Set([
  'age', 'authorization', 'content-length', 'content-type', 'etag', 'expires', 'from', 'host', 'if-modified-since',
  'if-unmodified-since', 'last-modified', 'location', 'max-forwards', 'proxy-authorization', 'referer', 'retry-after', 'server',
  'user-agent',
  'content-encoding', 'expect', 'idempotency-key', 'last-event-id', 'origin', 'purpose', 'sec-fetch-site', 'sec-purpose',
  'transfer-encoding', 'x-admin-mode', 'x-api-key', 'x-python3-admin-key', 'x-python3-legacy-result',
]); // prettier-ignore
