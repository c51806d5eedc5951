import { describe, expect, it } from '@jest/globals';
import { ClusterError } from '@python3-cluster/shared';
import { LEGACY } from '../../test/api-under-test';
import { post, useCluster } from '../../test/use-cluster';
import { renderErrorPage } from './error-page';
import { SECURITY_HEADERS } from './security-headers';

const { startCluster } = useCluster();
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8';

describe('an error that a browser meets', () => {
  it.each([
    ['/nothing', 404, 'ROUTE_NOT_FOUND'],
    ['/api/v1/jobs', 401, 'AUTH_REQUIRED'],
    ['/sign-in?token=x', 401, 'AUTH_SIGN_IN_INVALID'],
    [`${LEGACY}/nothing`, 404, 'ROUTE_NOT_FOUND'],
    ['/api/v1/jobs/%E0%A4%A', 400, 'REQUEST_INVALID'],
    ['/sign-out', 405, 'METHOD_NOT_ALLOWED'],
  ])('at %s is a page with the same headers and the same code (%s %s)', async (path, status, code) => {
    const { call } = await startCluster();
    for (const accept of [BROWSER, 'text/html']) {
      const answer = await call(path, { key: null, headers: { accept } });
      expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'text/html; charset=utf-8']);
      expect(answer.text).toContain(`<code>${code}</code>`);
      expect(answer.text).toContain(answer.headers.get('x-request-id') ?? '?');
      for (const [name, value] of SECURITY_HEADERS) expect([name, answer.headers.get(name)]).toEqual([name, value]);
      expect(answer.headers.get('vary')).toBe('Accept');
      // The content security policy lets neither run.
      expect(answer.text).not.toMatch(/<script|<style| style=| on\w+=/);
    }
  });

  it('of a form that was sent from elsewhere is a page, too', async () => {
    const { call } = await startCluster();
    const answer = await call('/sign-out', { method: 'POST', key: null, headers: { accept: BROWSER, origin: 'http://evil.example' } });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([403, 'text/html; charset=utf-8']);
  });

  it.each<[string, RequestInit & { key?: string | null }]>([
    ['that asks for nothing', { key: null }],
    ['that takes anything', { key: null, headers: { accept: '*/*' } }],
    ['that would rather have JSON', { key: null, headers: { accept: 'application/json, text/html' } }],
    ['of Java, which always asks for HTML', { key: null, headers: { accept: 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2' } }],
    ['with a key', { headers: { accept: BROWSER, authorization: 'Bearer x' }, key: null }],
    ['that sends a job', { ...post('{'), headers: { accept: BROWSER, 'content-type': 'application/json' } }],
  ])('a program %s gets JSON', async (_, init) => {
    const { call } = await startCluster();
    const answer = await call('/nothing', init);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([404, 'application/json; charset=utf-8']);
  });

  it('holds no markup of the caller', () => {
    const page = renderErrorPage({ error: new ClusterError('REQUEST_INVALID', '<b>"\'&'), status: 400, requestId: '<i>' });
    expect(page).toContain('&#60;b&#62;&#34;&#39;&#38;');
    expect(page).not.toMatch(/<[bi]>/);
  });
});
