import { connect } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { useStandardCluster } from '../support/standard-cluster';
import { ADMIN_KEY, DEVELOPER_KEY } from '../support/test-cluster';
import { call, legacy } from '../support/call';

const cluster = useStandardCluster();

const post = (body: unknown, headers: Record<string, string> = {}) => call(cluster, '/api/v1/jobs', body, { headers });

const bad: [string, unknown, number, string][] = [
  ['no JSON', '{"code": ', 400, 'REQUEST_INVALID_JSON'],
  ['Python instead of JSON', "{'code': 1}", 400, 'REQUEST_INVALID_JSON'],
  ['an array', '[]', 400, 'REQUEST_INVALID_JSON'],
  ['NaN', '{"code":"x","variables":{"a":NaN}}', 400, 'REQUEST_INVALID_JSON'],
  ['a control character in a string', '{"code":"a\u0001b"}', 400, 'REQUEST_INVALID_JSON'],
  ['one field twice', '{"code":"1","code":"2"}', 400, 'REQUEST_INVALID_JSON'],
  ['too deep a body', `{"code":"1","variables":{"a":${'['.repeat(300)}${']'.repeat(300)}}}`, 400, 'REQUEST_TOO_DEEP'],
  ['code that is a number', { code: 5 }, 400, 'REQUEST_INVALID'],
  ['variables that are a list', { code: 'x', variables: [] }, 400, 'REQUEST_INVALID'],
  ['args that are an object', { kind: 'call', module: 'math', function: 'sqrt', args: {} }, 400, 'REQUEST_INVALID'],
  ['a variable named __builtins__', { code: 'x', variables: { __builtins__: {} } }, 400, 'REQUEST_INVALID'],
  ['a variable that is no name', { code: 'x', variables: { 'a b': 1 } }, 400, 'REQUEST_INVALID'],
  ['empty code', { code: '' }, 400, 'CODE_EMPTY'],
  ['blank code', { code: ' \n\t' }, 400, 'CODE_EMPTY'],
  ['oversize code', { code: 'x'.repeat(1_048_577) }, 413, 'CODE_TOO_LARGE'],
  ['code over the limit in bytes, not characters', { code: 'é'.repeat(600_000) }, 413, 'CODE_TOO_LARGE'],
  ['too large a body', { code: 'x', variables: { a: 'y'.repeat(3_000_000) } }, 413, 'REQUEST_TOO_LARGE'],
  ['an unknown field', { code: 'x', varaibles: {} }, 400, 'REQUEST_UNKNOWN_FIELD'],
  ['a field not built yet', { code: 'x', webhook: 'http://example' }, 400, 'REQUEST_FIELD_NOT_SUPPORTED'],
  ['a time-out over its ceiling', { code: 'x', timeoutMs: 3_600_001 }, 400, 'LIMIT_ABOVE_CEILING'],
  ['memory over its ceiling', { code: 'x', memoryMb: 2049 }, 400, 'LIMIT_ABOVE_CEILING'],
  ['CPU time over its ceiling', { code: 'x', cpuSeconds: 601 }, 400, 'LIMIT_ABOVE_CEILING'],
  ['a limit that is text', { code: 'x', timeoutMs: '100' }, 400, 'REQUEST_INVALID'],
  ['a limit of nothing', { code: 'x', timeoutMs: 0 }, 400, 'REQUEST_INVALID'],
  ['control characters in a name', { kind: 'call', module: 'ma\u0000th', function: 'sqrt' }, 400, 'REQUEST_INVALID'],
  ['an expiry before anything can start', { code: 'x', expiresInMs: 99 }, 400, 'REQUEST_INVALID'],
  ['an expiry after the job’s validity', { code: 'x', expiresInMs: 86_400_001 }, 400, 'REQUEST_INVALID'],
  ['an unknown kind', { kind: 'shell', code: 'x' }, 400, 'REQUEST_INVALID'],
  ['a lane nobody serves', { code: 'x', lane: 'nobody' }, 503, 'NO_WORKER_FOR_LANE'],
  ['admin mode with a developer key', { code: 'x', mode: 'admin' }, 403, 'AUTH_ROLE_INSUFFICIENT'],
];

describe('bad input', () => {
  it.each(bad)('%s is refused with one sentence and a code', async (_name, body, status, code) => {
    const answer = await post(body);
    expect({ status: answer.status, code: answer.json?.error?.code, text: answer.text.slice(0, 200) }).toMatchObject({ status, code });
    expect(answer.json.error.message).toMatch(/^.{5,300}$/s);
    expect(answer.json.error.requestId).toBe(answer.headers.get('x-request-id'));
  });

  it.each(bad.filter(([name]) => !/kind|warm|lane|control|expiry/.test(name)))(
    'the predecessor’s route refuses %s in its envelope',
    async (_name, body, status, code) => {
      const fields: { kind?: string } = typeof body === 'object' ? { ...body } : {};
      delete fields.kind;
      const route = typeof body === 'object' && 'module' in (body as object) ? 'call-module' : 'exec';
      const answer = await legacy(cluster, route, typeof body === 'string' ? body : fields);
      expect({ status: answer.status, ...answer.json }).toMatchObject({ status, success: false, code, error: expect.any(String) });
    },
  );

  it('the predecessor’s routes refuse an Idempotency-Key by name', async () => {
    const answer = await legacy(cluster, 'exec', { code: 'x' }, { headers: { 'idempotency-key': 'a' } });
    expect(answer.json).toMatchObject({ code: 'REQUEST_FIELD_NOT_SUPPORTED', error: expect.stringMatching(/Idempotency-Key/i) });
  });

  it.each(['nothing', 'default.00000000000000000000000000', 'default.%00', '../../etc/passwd', 'x'.repeat(5_000)])(
    'the unknown job id %.40s is not found',
    async (id) => {
      const answer = await call(cluster, `/api/v1/jobs/${encodeURIComponent(id)}`);
      expect({ status: answer.status, code: answer.json.error.code }).toEqual({ status: 404, code: 'JOB_NOT_FOUND' });
    },
  );

  it('unknown routes and methods are told apart', async () => {
    expect((await call(cluster, '/api/v1/nothing')).status).toBe(404);
    const answer = await call(cluster, '/api/v1/jobs', {}, { method: 'PUT' });
    expect({ status: answer.status, allow: answer.headers.get('allow') }).toMatchObject({
      status: 405,
      allow: expect.stringContaining('POST'),
    });
  });

  it('after all of it the next job is answered', async () => {
    const answer = await legacy(cluster, 'exec', { code: 'result = 1' });
    expect(answer.json.result).toBe(1);
  });
});

describe('keys', () => {
  it('no key is 401 on every route that does something', async () => {
    for (const [route, body] of [
      ['exec', { code: 'x' }],
      ['eval', { expression: '1' }],
      ['call-module', { module: 'math', function: 'sqrt' }],
      ['check-syntax', { code: '' }],
      ['version'],
      ['pool-stats'],
      ['diagnostics'],
      ['example'],
    ] as const) {
      const answer = await legacy(cluster, route, body, { key: null });
      expect({ route, status: answer.status, code: answer.json.code }).toEqual({ route, status: 401, code: 'AUTH_REQUIRED' });
    }
    expect((await call(cluster, '/api/v1/jobs', { code: 'x' }, { key: null })).headers.get('www-authenticate')).toMatch(/Bearer/);
  });

  it.each([
    ['Authorization', { authorization: 'Bearer nonsense' }],
    ['X-API-Key', { 'x-api-key': 'nonsense' }],
    ['X-Python3-Admin-Key', { 'x-python3-admin-key': DEVELOPER_KEY }],
    ['two keys that disagree', { authorization: `Bearer ${ADMIN_KEY}`, 'x-api-key': DEVELOPER_KEY }],
    ['a key and a wrong admin key', { authorization: `Bearer ${DEVELOPER_KEY}`, 'x-python3-admin-key': 'nonsense' }],
  ])('a wrong key in %s is refused, not downgraded', async (_name, headers) => {
    const answer = await legacy(cluster, 'exec', { code: 'result = 1' }, { key: null, headers });
    expect({ status: answer.status, code: answer.json.code }).toEqual({ status: 401, code: 'AUTH_KEY_INVALID' });
  });

  it('nobody sees another owner’s job, an admin sees all', async () => {
    const created = await call(cluster, '/api/v1/jobs', { code: 'result = "mine"' }, { key: ADMIN_KEY });
    expect(created.status).toBe(202);
    const path = `/api/v1/jobs/${created.json.id as string}`;
    expect((await call(cluster, path, undefined, { key: DEVELOPER_KEY })).status).toBe(404);
    expect((await call(cluster, path, undefined, { key: ADMIN_KEY })).status).toBe(200);
    const own = await call(cluster, '/api/v1/jobs', { code: 'result = 1' });
    expect((await call(cluster, `/api/v1/jobs/${own.json.id as string}`, undefined, { key: ADMIN_KEY })).status).toBe(200);
  });
});

describe('the HTTP surface', () => {
  it.each(['/', '/health', '/nothing', '/api/v1/jobs', '/data/python3integration/api/v1/exec'])(
    '%s carries the security headers whatever it answers',
    async (path) => {
      const answer = await call(cluster, path, undefined, { key: null });
      for (const name of [
        'content-security-policy',
        'strict-transport-security',
        'x-frame-options',
        'x-content-type-options',
        'referrer-policy',
        'permissions-policy',
        'x-xss-protection',
      ]) {
        expect({ name, present: answer.headers.has(name) }).toEqual({ name, present: true });
      }
      expect(answer.headers.has('x-powered-by')).toBe(false);
    },
  );

  it('answers Java clients that offer h2c as HTTP/1.1', async () => {
    const body = JSON.stringify({ code: 'result = 1' });
    const request = [
      'POST /data/python3integration/api/v1/exec HTTP/1.1',
      'Host: localhost',
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
      `Authorization: Bearer ${DEVELOPER_KEY}`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n');
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(cluster.ports[0] ?? 0, '127.0.0.1', () => socket.write(request));
      let received = '';
      socket.on('data', (chunk) => {
        received += chunk.toString();
        if (received.includes('"result":')) socket.end();
      });
      socket.on('close', () => resolve(received));
      socket.on('error', reject);
      socket.setTimeout(10_000, () => socket.destroy());
    });
    expect(text).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(text).toContain('"result":1');
  });
});
