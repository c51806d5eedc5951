import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { KeyRing } from '@python3-cluster/shared';
import { createSignInPath } from '../../packages/api/src/sign-in/create-sign-in-path';
import { ADMIN_KEY, DEVELOPER_KEY, SIGNING_KEY, TestCluster } from '../support/test-cluster';
import { exchange, exchangeHead, RawConnection, rawRequest, type RawAnswer } from '../support/raw-http';
import { freePort } from '../support/test-redis';
import { waitFor } from '../support/wait-for';

/** What an attacker sends with a socket of its own; no client library would. */
const LEGACY = '/data/python3integration/api/v1';
const SECURITY_HEADERS = [
  'content-security-policy', 'strict-transport-security', 'x-frame-options', 'x-content-type-options', 'referrer-policy',
  'permissions-policy', 'x-xss-protection', 'x-request-id',
]; // prettier-ignore
const HOST = 'Host: localhost';
const KEY = `Authorization: Bearer ${DEVELOPER_KEY}`;
const JSON_BODY = ['Content-Type: application/json', 'Content-Length: 12'];
const BODY = '{"code":"1"}';

let cluster: TestCluster;
let port: number;
/** Of a replica that lets this machine in without a key. */
let openPort: number;
let metricsPort: number;
beforeAll(async () => {
  cluster = await TestCluster.start({ workers: 0 });
  await cluster.startApi({ PYTHON3_AUTH: 'loopback-open' });
  [port, openPort] = cluster.ports as [number, number];
  metricsPort = await freePort();
  cluster.startWorker({ PYTHON3_WORKER_METRICS_PORT: String(metricsPort) });
  await cluster.waitForWorkers(1);
  const isLive = async (): Promise<boolean> => (await exchange(metricsPort, rawRequest('GET /health/live', [HOST]))).status === 200;
  await waitFor('the metrics port', () => isLive().catch(() => false));
}, 60_000);
afterAll(() => cluster.stop());

function expectRefusal(answer: RawAnswer, status: number, code: string): void {
  expect([answer.status, answer.json?.error?.code]).toEqual([status, code]);
  expect(SECURITY_HEADERS.filter((name) => !answer.headers.has(name))).toEqual([]);
  expect(answer.json.error.requestId).toBe(answer.headers.get('x-request-id'));
  expect(answer.json.error.message).toMatch(/^.{5,300}$/s);
}

/** Express, its short cut, the predecessor's surface. */
const ROUTES = ['GET /api/v1/workers', 'GET /health', 'POST /api/v1/jobs'];
const many = (count: number): string[] => Array.from({ length: count }, () => 'd:');

describe.each(ROUTES)('%s refuses', (line) => {
  const send = (...fields: string[]): Promise<RawAnswer> => exchange(port, rawRequest(line, fields));

  it.each([129, 996, 2_000])('a field behind %i others, rather than not to see it', async (count) => {
    expectRefusal(await send(HOST, KEY, ...many(count), 'X-API-Key: nonsense'), 431, 'REQUEST_HEADERS_TOO_LARGE');
  });

  it.each([
    ['Authorization', [HOST, KEY, `Authorization: Bearer ${ADMIN_KEY}`]],
    ['a key', [HOST, 'X-API-Key: a', 'x-api-key: b']],
    ['Host', [HOST, 'Host: evil.example', KEY]],
    ['Origin', [HOST, KEY, 'Origin: http://localhost', 'Origin: http://evil.example']],
    ['Content-Type', [HOST, KEY, 'Content-Type: application/json', 'Content-Type: text/plain']],
    ['X-Admin-Mode', [HOST, KEY, 'X-Admin-Mode: false', 'X-Admin-Mode: true']],
    ['Sec-Fetch-Site', [HOST, KEY, 'Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: cross-site']],
  ])('%s given twice, rather than to choose', async (_name, fields) => {
    expectRefusal(await send(...fields), 400, 'REQUEST_MALFORMED');
  });

  it.each(['X_API_Key: nonsense', 'X_Forwarded_For: 10.0.0.1', 'Content_Length: 5', '__proto__: x'])('%s', async (field) => {
    expectRefusal(await send(HOST, KEY, field), 400, 'REQUEST_MALFORMED');
  });

  it.each([
    ['a field that goes on in the next line', [HOST, KEY, 'X-A: b', ' c']],
    ['a space before the colon', [HOST, KEY, 'X-API-Key : nonsense']],
    ['a NUL in a field', [HOST, KEY, 'X-A: a\0b']],
    ['a request without Host', [KEY]],
    ['a length beside chunks', [HOST, KEY, 'Content-Length: 3', 'Transfer-Encoding: chunked']],
    ['two lengths', [HOST, KEY, 'Content-Length: 0', 'Content-Length: 0']],
  ])('%s', async (_name, fields) => {
    expectRefusal(await send(...fields), 400, 'REQUEST_MALFORMED');
  });

  it.each(['gzip, chunked', 'chunked, gzip', 'identity', 'chunked, chunked', 'xchunked', ''])('Transfer-Encoding: %j', async (coding) => {
    expectRefusal(await send(HOST, KEY, `Transfer-Encoding: ${coding}`), 501, 'REQUEST_TRANSFER_ENCODING');
  });

  it('a packed body, and an expectation it does not know', async () => {
    expectRefusal(await send(HOST, KEY, 'Content-Length: 3', 'Content-Encoding: gzip'), 415, 'REQUEST_MEDIA_TYPE');
    expectRefusal(await send(HOST, KEY, 'Expect: magic'), 417, 'REQUEST_EXPECTATION');
  });
});

describe('what Node’s parser refuses', () => {
  it.each<[string, string, number, string]>([
    ['too long a header', rawRequest('GET /', [HOST, `X-A: ${'a'.repeat(20_000)}`]), 431, 'REQUEST_HEADERS_TOO_LARGE'],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01', 400, 'REQUEST_MALFORMED'],
    ['a method it does not know', rawRequest('FOO /', [HOST]), 400, 'REQUEST_MALFORMED'],
    ['a tunnel', rawRequest('CONNECT localhost:1', [HOST]), 400, 'REQUEST_MALFORMED'],
    ['HTTP/2 with prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'REQUEST_MALFORMED'],
    ['HTTP/2.0 in the first line', 'GET / HTTP/2.0\r\nHost: localhost\r\n\r\n', 400, 'REQUEST_MALFORMED'],
    ['a target with a fragment', rawRequest('GET /health#x', [HOST]), 400, 'REQUEST_MALFORMED'],
    ['a target of another host', rawRequest('GET http://evil.example/health', [HOST]), 400, 'REQUEST_MALFORMED'],
    ['a chunk that is none', rawRequest('POST /api/v1/jobs', [HOST, KEY, 'Transfer-Encoding: chunked'], 'zz\r\n'), 400, 'REQUEST_MALFORMED'],
    ['long extensions of a chunk', rawRequest('POST /api/v1/jobs', [HOST, KEY, 'Transfer-Encoding: chunked'], `3;${'a'.repeat(20_000)}\r\n`), 413, 'REQUEST_TOO_LARGE'],
    ['fields behind the body', rawRequest('POST /api/v1/jobs', [HOST, KEY, 'Transfer-Encoding: chunked', JSON_BODY[0] ?? ''], `c\r\n${BODY}\r\n0\r\nX-API-Key: z\r\n\r\n`), 400, 'REQUEST_MALFORMED'],
  ])('(%s) is answered like every other request', async (_name, text, status, code) => {
    expectRefusal(await exchange(port, text), status, code);
  }); // prettier-ignore

  it('is answered in the predecessor’s envelope where the request was one of its routes', async () => {
    const answer = await exchange(port, rawRequest(`POST ${LEGACY}/exec`, [HOST, KEY, 'Transfer-Encoding: chunked'], 'zz\r\n'));
    expect([answer.status, answer.json.success, answer.json.code]).toEqual([400, false, 'REQUEST_MALFORMED']);
  });

  it('is refused after the answer to the request before it, not instead of it', async () => {
    const job = rawRequest(`POST ${LEGACY}/exec`, [HOST, KEY, ...JSON_BODY], '{"code":"1"}');
    const connection = new RawConnection(port).send(job, 'rubbish\r\n\r\n');
    const [first, second, ...others] = await connection.answers();
    expect([first?.status, first?.json?.success, others.length]).toEqual([200, true, 0]);
    expectRefusal(second as RawAnswer, 400, 'REQUEST_MALFORMED');
  });

  it('leaves the next connection alone', async () => {
    expect((await exchange(port, rawRequest('GET /health/live', [HOST]))).status).toBe(200);
  });
});

it('no request is taken from what may be the body of one that was refused', async () => {
  const jobIds = async (): Promise<string[]> =>
    (await exchange(port, rawRequest('GET /api/v1/jobs', [HOST, KEY]))).json.jobs.map(({ id }: { id: string }) => id);
  const before = await jobIds();
  const hidden = rawRequest('POST /api/v1/jobs', [HOST, KEY, ...JSON_BODY], BODY);
  for (const coding of ['Transfer-Encoding:', 'Transfer-Encoding: identity']) {
    const connection = new RawConnection(port).send(rawRequest('POST /api/v1/jobs', [HOST, KEY, coding]), hidden);
    expect((await connection.answers()).map(({ status }) => status)).toEqual([501]);
  }
  expect(await jobIds()).toEqual(before);
});

describe('a link that does something when it is followed', () => {
  const keyRing = new KeyRing(SIGNING_KEY);
  it.each([
    ['HEAD', [], 405],
    ['GET', ['Sec-Purpose: prefetch'], 403],
    ['GET', ['Sec-Purpose: prefetch;prerender'], 403],
    ['GET', ['Purpose: prefetch'], 403],
    ['GET', ['X-Purpose: preview'], 403],
    ['GET', ['X-moz: prefetch'], 403],
  ])('is not followed by %s with %j', async (method, fields, status) => {
    const path = createSignInPath(keyRing, 'admin');
    const looked = await exchangeHead(port, rawRequest(`${method} ${path}`, [HOST, ...fields]));
    expect([looked.status, looked.headers.has('set-cookie')]).toEqual([status, false]);
    const followed = await exchangeHead(port, rawRequest(`GET ${path}`, [HOST]));
    expect([followed.status, followed.headers.has('set-cookie')]).toEqual([303, true]);
  });

  it('runs no example job for HEAD or beforehand', async () => {
    expect((await exchangeHead(port, rawRequest(`HEAD ${LEGACY}/example`, [HOST, KEY]))).status).toBe(405);
    const looked = await exchange(port, rawRequest(`GET ${LEGACY}/example`, [HOST, KEY, 'Sec-Purpose: prefetch']));
    expect([looked.status, looked.json.code]).toEqual([403, 'REQUEST_PREFETCH']);
  });
});

describe('a replica that lets this machine in without a key', () => {
  const host = (): string => `Host: localhost:${openPort}`;
  it.each([
    ['X-Forwarded-For', 431, many(996)],
    ['Origin', 431, many(2_100)],
    ['X_Forwarded_For', 400, []],
  ])('is not fooled by a %s that would go unseen', async (name, status, before) => {
    const answer = await exchange(openPort, rawRequest('POST /api/v1/jobs', [host(), ...JSON_BODY, ...before, `${name}: 10.0.0.1`], BODY));
    expect(answer.status).toBe(status);
  });

  it('lets it in otherwise', async () => {
    expect((await exchange(openPort, rawRequest('POST /api/v1/jobs', [host(), ...JSON_BODY], BODY))).status).toBe(202);
  });
});

describe('a body that is announced', () => {
  it('is asked for once its sender is known, not before', async () => {
    const announced = ['Expect: 100-continue', ...JSON_BODY];
    const stranger = await exchange(port, rawRequest('POST /api/v1/jobs', [HOST, ...announced]));
    expect([stranger.status, stranger.headers.get('connection')]).toEqual([401, 'close']);
    const known = new RawConnection(port).send(rawRequest('POST /api/v1/jobs', [HOST, KEY, ...announced]));
    expect((await known.answer()).status).toBe(100);
    known.send(BODY);
    expect((await known.answer()).status).toBe(202);
    known.destroy();
  });
});

describe('the metrics port of a worker node', () => {
  it.each<[string, string, number, string]>([
    ['an unknown path', rawRequest('GET /nothing', [HOST]), 404, 'ROUTE_NOT_FOUND'],
    ['another method', rawRequest('POST /metrics', [HOST]), 405, 'METHOD_NOT_ALLOWED'],
    ['too many fields', rawRequest('GET /metrics', [HOST, ...many(996)]), 431, 'REQUEST_HEADERS_TOO_LARGE'],
    ['too long a header', rawRequest('GET /metrics', [HOST, `X-A: ${'a'.repeat(20_000)}`]), 431, 'REQUEST_HEADERS_TOO_LARGE'],
    ['Authorization twice', rawRequest('GET /metrics', [HOST, 'Authorization: a', 'Authorization: b']), 400, 'REQUEST_MALFORMED'],
    ['no Host', rawRequest('GET /metrics'), 400, 'REQUEST_MALFORMED'],
    ['an expectation', rawRequest('GET /metrics', [HOST, 'Expect: magic']), 417, 'REQUEST_EXPECTATION'],
    ['another transfer coding', rawRequest('GET /metrics', [HOST, 'Transfer-Encoding: gzip, chunked']), 501, 'REQUEST_TRANSFER_ENCODING'],
    ['no HTTP at all', 'hello\r\n\r\n', 400, 'REQUEST_MALFORMED'],
    ['half a request', 'GET /metrics HTTP/1.1\r\nHost: a\r\n', 408, 'REQUEST_TIMEOUT'],
  ])('answers %s with a code and the security headers', async (_name, text, status, code) => {
    expectRefusal(await exchange(metricsPort, text), status, code);
  });

  it('has the security headers on what it tells', async () => {
    const { headers } = await exchange(metricsPort, rawRequest('GET /health/live', [HOST]));
    expect(SECURITY_HEADERS.filter((name) => !headers.has(name))).toEqual(['x-request-id']);
  });
});
