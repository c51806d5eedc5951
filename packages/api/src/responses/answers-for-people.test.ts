import { describe, expect, it } from '@jest/globals';
import { ADMIN_KEY, LEGACY } from '../../test/api-under-test';
import { post, useCluster } from '../../test/use-cluster';

const { startCluster } = useCluster();
const played = { play: () => ({ value: Buffer.from('[9007199254740993,1.0]') }) };
const job = post('{"code":"1"}');

const JSON_ROUTES: [string, RequestInit & { key?: string | null }][] = [
  ['/health', {}],
  ['/health/live', {}],
  ['/health/ready', {}],
  ['/api/v1/jobs', { ...job, headers: { prefer: 'wait=5' } }],
  ['/api/v1/jobs', {}],
  ['/api/v1/jobs', { ...job, key: null }],
  ['/api/v1/jobs', post('{"code":')],
  ['/api/v1/jobs/default.nothing', {}],
  ['/api/v1/workers', {}],
  ['/api/v1/metrics', {}],
  ['/api/v1/metrics/lanes', {}],
  ['/api/v1/quarantine', { key: ADMIN_KEY }],
  ['/api/v1/alerts', {}],
  ['/nowhere', {}],
  ['/api/v1/workers', { method: 'DELETE' }],
  [`${LEGACY}/exec`, job],
  [`${LEGACY}/exec`, post('{"x":1}')],
  [`${LEGACY}/check-syntax`, job],
  [`${LEGACY}/version`, {}],
  [`${LEGACY}/pool-stats`, {}],
  [`${LEGACY}/health`, {}],
  [`${LEGACY}/metrics`, {}],
  [`${LEGACY}/nowhere`, {}],
];

describe('an answer in JSON', () => {
  it('ends its line, and is indented for ?pretty, on every route, errors and the short cut included', async () => {
    const { call } = await startCluster(played);
    for (const [path, init] of JSON_ROUTES) {
      const plain = await call(path, init);
      const indented = await call(`${path}?pretty`, init);
      const told = { path, init, status: plain.status };
      expect({ ...told, ends: /[^\n]\n$/.test(plain.text), lines: plain.text.split('\n').length }).toEqual({
        ...told,
        ends: true,
        lines: 2,
      });
      expect({ ...told, status: indented.status, text: indented.text }).toEqual({
        ...told, text: `${JSON.stringify(indented.body, null, 2)}\n`.replace('9007199254740992', '9007199254740993').replace(/1(\n *\])/, '1.0$1'),
      }); // prettier-ignore
      for (const answer of [plain, indented])
        expect({ ...told, length: answer.headers.get('content-length') }).toEqual({ ...told, length: `${Buffer.byteLength(answer.text)}` });
    }
  });

  it('to HEAD has the length that GET has, and no body', async () => {
    const { call } = await startCluster(played);
    const get = await call('/health/live?pretty');
    const head = await call('/health/live?pretty', { method: 'HEAD' });
    expect([head.text, head.headers.get('content-length')]).toEqual(['', get.headers.get('content-length')]);
  });
});

describe('a slip of the finger is told what was meant', () => {
  it.each<[string, string, RequestInit, RegExp]>([
    ['a field', '/api/v1/jobs', post('{"code":"1","timeoutms":5}'), /^There is no field 'timeoutms' here\. Did you mean 'timeoutMs'\?$/],
    ['a field that is nothing like any', '/api/v1/jobs', post('{"code":"1","nonsense":5}'), /^There is no field 'nonsense' here\.$/],
    ['a field of the predecessor’s', `${LEGACY}/exec`, post('{"code":"1","variable":{}}'), / Did you mean 'variables'\?$/],
    ['a query parameter', '/api/v1/jobs?limits=3', {}, /^There is no query parameter 'limits' here\. Did you mean 'limit'\?$/],
    ['pretty', '/health/../api/v1/workers?prety', {}, / Did you mean 'pretty'\?$/],
    ['a route', '/api/v1/job', {}, /^There is no such route\. Did you mean '\/api\/v1\/jobs'\?$/],
    ['a route with a parameter', '/api/v1/job/default.x', {}, / Did you mean '\/api\/v1\/jobs\/default\.x'\?$/],
    ['a route of the predecessor’s', `${LEGACY}/exce`, job, / Did you mean '\/data\/python3integration\/api\/v1\/exec'\?$/],
    ['a route that is nothing like any', '/nowhere/at/all', {}, /^There is no such route\.$/],
    ['one of several values', '/api/v1/jobs?kind=x', {}, /^'kind' must be 'exec', 'eval', 'call' or 'check'\.$/],
  ])('(%s)', async (_words, path, init, message) => {
    const { call } = await startCluster(played);
    const { body } = await call(path, init);
    expect(body.error.message ?? body.error).toMatch(message);
  });
});
