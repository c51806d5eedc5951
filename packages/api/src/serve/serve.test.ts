import { describe, expect, it } from '@jest/globals';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { DEVELOPER_KEY, LEGACY } from '../../test/api-under-test';
import { post, useCluster } from '../../test/use-cluster';

const { startCluster } = useCluster();

const SECURITY_HEADERS = [
  'content-security-policy', 'strict-transport-security', 'x-frame-options', 'x-content-type-options',
  'x-xss-protection', 'referrer-policy', 'permissions-policy', 'x-request-id',
]; // prettier-ignore

describe('every response', () => {
  it.each([
    '/',
    '/health',
    '/health/live',
    '/api/v1/jobs',
    '/nothing',
    '/api/v1/jobs/%E0%A4%A',
    `${LEGACY}/exec`,
    `${LEGACY}/nothing`,
    '/assets/home.css',
  ])('to %s has the security headers and a request id, and names no framework', async (path) => {
    const { call } = await startCluster();
    const answer = await call(path, { key: null });
    expect(SECURITY_HEADERS.filter((name) => !answer.headers.has(name))).toEqual([]);
    expect(answer.headers.get('permissions-policy')).toBe('geolocation=(), microphone=(), camera=(), payment=()');
    expect(answer.headers.has('x-powered-by')).toBe(false);
  });

  it('carries the caller’s request id if it is harmless, else one of ours', async () => {
    const { call } = await startCluster();
    const idFor = async (id: string): Promise<string | null> =>
      (await call('/health', { headers: { 'x-request-id': id } })).headers.get('x-request-id');
    expect(await idFor('plant-7.line_2')).toBe('plant-7.line_2');
    expect(await idFor('a'.repeat(65))).toMatch(/^[0-9a-f-]{36}$/);
    expect(await idFor('<script>')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('a request that cannot be handled', () => {
  it.each<[string, string, RequestInit, number, string]>([
    ['an unknown route', '/api/v2', {}, 404, 'ROUTE_NOT_FOUND'],
    ['a path that cannot be decoded', '/api/v1/jobs/%E0%A4%A', {}, 400, 'REQUEST_INVALID'],
    ['a wrong method', '/api/v1/jobs', { method: 'DELETE' }, 405, 'METHOD_NOT_ALLOWED'],
    ['an unknown query parameter', '/api/v1/jobs?wait=5', post('{}'), 400, 'REQUEST_UNKNOWN_FIELD'],
    [
      'too long an idempotency key',
      '/api/v1/jobs',
      { ...post('{"code":"1"}'), headers: { 'idempotency-key': 'x'.repeat(201) } },
      400,
      'REQUEST_INVALID',
    ],
    ['a wait in fractions', '/api/v1/jobs', { ...post('{"code":"1"}'), headers: { prefer: 'wait=1.5' } }, 400, 'REQUEST_INVALID'],
    ['too large a body', '/api/v1/jobs', post(`{"code":"${'x'.repeat(5_000)}"}`), 413, 'REQUEST_TOO_LARGE'],
    [
      'a packed body',
      '/api/v1/jobs',
      { method: 'POST', body: gzipSync('{}'), headers: { 'content-encoding': 'gzip' } },
      415,
      'REQUEST_MEDIA_TYPE',
    ],
    [
      'a form',
      '/api/v1/jobs',
      { ...post('code=1'), headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      415,
      'REQUEST_MEDIA_TYPE',
    ],
    ['no body', '/api/v1/jobs', { method: 'POST', headers: { 'content-type': 'application/json' } }, 400, 'REQUEST_INVALID_JSON'],
    ['a sign-in link made up', '/sign-in?token=abc', {}, 401, 'AUTH_SIGN_IN_INVALID'],
  ])('(%s) is answered with its code', async (_words, path, init, status, code) => {
    const { call } = await startCluster({ environment: { PYTHON3_MAX_BODY_BYTES: '4096' } });
    const answer = await call(path, init);
    expect([answer.status, answer.body.error.code, answer.body.error.requestId]).toEqual([
      status,
      code,
      answer.headers.get('x-request-id'),
    ]);
  });

  it('is told which methods a route takes', async () => {
    const { call } = await startCluster();
    expect((await call('/api/v1/workers', { method: 'PUT' })).headers.get('allow')).toBe('GET, HEAD');
    expect((await call(`${LEGACY}/exec`)).headers.get('allow')).toBe('POST');
  });

  it('without a key is refused before its body is read', async () => {
    const { call } = await startCluster({ environment: { PYTHON3_MAX_BODY_BYTES: '4096' } });
    const answer = await call('/api/v1/jobs', { ...post('x'.repeat(100_000)), key: null });
    expect([answer.status, answer.body.error.code, answer.headers.get('www-authenticate')]).toEqual([401, 'AUTH_REQUIRED', 'Bearer']);
  });
});

describe('the short cut to the routes that take jobs', () => {
  const good = post('{"code":"1"}');
  const requests: [string, RequestInit & { key?: string | null }][] = [
    ['a job', good],
    ['a job somebody waits for', { ...good, headers: { prefer: 'wait=5' } }],
    ['no key', { ...good, key: null }],
    ['a wrong key', { ...good, key: 'nonsense' }],
    ['a form', { ...good, headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    ['no body', { method: 'POST', headers: { 'content-type': 'application/json' } }],
    ['too large a body', post(`{"code":"${'x'.repeat(5_000)}"}`)],
    ['a packed body', { method: 'POST', body: gzipSync('{}'), headers: { 'content-encoding': 'gzip' } }],
    ['an unknown field', post('{"code":"1","x":1}')],
    ['ADMIN mode without the right', post('{"code":"1","mode":"admin"}')],
  ];
  // Express takes a path in any case; the short cut takes it as it is written.
  it.each([
    ['/api/v1/jobs', '/api/v1/JOBS'],
    [`${LEGACY}/exec`, `${LEGACY}/EXEC`],
  ])('answers like Express (%s)', async (direct, throughExpress) => {
    const { call } = await startCluster({ play: () => ({ value: Buffer.from('[1.0]') }), environment: { PYTHON3_MAX_BODY_BYTES: '4096' } });
    const shape = async (path: string, init: RequestInit & { key?: string | null }): Promise<unknown> => {
      const { status, headers, body } = await call(path, init);
      const code = body.error?.code ?? body.code;
      const stable = ['x-request-id', 'x-trace-id', 'date', 'location', 'content-length'];
      return [status, code, Object.keys(body), [...headers].map(([name, value]) => (stable.includes(name) ? name : [name, value]))];
    };
    for (const [words, init] of requests) expect([words, await shape(direct, init)]).toEqual([words, await shape(throughExpress, init)]);
  });

  it('lets go of a caller that hangs up in the middle of its body', async () => {
    const { call, api } = await startCluster({ play: () => ({ value: Buffer.from('1') }), environment: { PYTHON3_DRAIN_SECONDS: '20' } });
    const socket = connect(api.address?.port ?? 0, '127.0.0.1');
    socket.write(`POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${DEVELOPER_KEY}\r\nContent-Length: 9\r\n\r\n{"code"`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    expect((await call('/api/v1/jobs', { ...good, headers: { prefer: 'wait=5' } })).status).toBe(200);
    const before = performance.now();
    await api.stop();
    expect(performance.now() - before).toBeLessThan(15_000);
  });
});

describe('loopback-open', () => {
  it('lets this machine run code without a key, as JSON only, and not as an admin', async () => {
    const { call } = await startCluster({ play: () => ({ value: Buffer.from('1') }), environment: { PYTHON3_AUTH: 'loopback-open' } });
    const send = (body: string, headers: Record<string, string> = {}): ReturnType<typeof call> =>
      call(`${LEGACY}/exec`, { ...post(body), key: null, headers });
    expect((await send('{"code":"1"}')).body.result).toBe(1);
    expect((await send('{"code":"1"}', { 'content-type': 'text/plain' })).body.code).toBe('AUTH_REQUIRED');
    expect((await send('{"code":"1","mode":"ADMIN"}')).body.code).toBe('AUTH_ROLE_INSUFFICIENT');
    expect((await send('{"code":"1"}', { origin: 'http://evil.example' })).body.code).toBe('AUTH_REQUIRED');
    expect((await send('{"code":"1"}', { 'x-api-key': 'nonsense' })).body.code).toBe('AUTH_KEY_INVALID');
  });
});

describe('a draining replica', () => {
  it('refuses a request that comes on an open connection, still says that it lives, and is not ready', async () => {
    const { call, api } = await startCluster({ play: () => undefined, environment: { PYTHON3_DRAIN_SECONDS: '3' } });
    const port = api.address?.port ?? 0;
    const waiting = call('/api/v1/jobs', { ...post('{"code": "1"}'), headers: { prefer: 'wait=2' } });
    const finish = ['/api/v1/workers', '/health/live', '/health/ready'].map((path) => beginRequest(port, path));
    await new Promise((resolve) => setTimeout(resolve, 200));
    const stopped = api.stop();
    const [refused, live, ready] = await Promise.all(finish.map((end) => end()));
    expect(refused).toMatch(/^HTTP\/1\.1 503 .*Retry-After: 1.*"SHUTTING_DOWN"/s);
    expect(live).toMatch(/^HTTP\/1\.1 200 /);
    expect(ready).toMatch(/^HTTP\/1\.1 503 /);
    expect((await waiting).status).toBe(202);
    await stopped;
  });
});

/** Sends half a request; the function it returns sends the rest and resolves with the answer. */
function beginRequest(port: number, path: string): () => Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${DEVELOPER_KEY}\r\n`);
  return () =>
    new Promise((resolve, reject) => {
      let received = '';
      socket.on('data', (chunk) => {
        received += chunk.toString();
        if (received.endsWith('}')) socket.end();
      });
      socket.on('close', () => resolve(received));
      socket.on('error', reject);
      socket.write('\r\n');
    });
}
