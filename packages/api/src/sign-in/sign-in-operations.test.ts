import { describe, expect, it } from '@jest/globals';
import { keyRing, post, useCluster } from '../../test/use-cluster';
import { createSignInPath } from './create-sign-in-path';

const { startCluster } = useCluster();

describe('a browser', () => {
  it('signs in once with a link, acts by its cookie from our own page only, and signs out', async () => {
    const { call, origin } = await startCluster({ play: () => ({ value: Buffer.from('1') }) });
    const path = createSignInPath(keyRing, 'developer');
    const signedIn = await call(path, { key: null });
    expect([signedIn.status, signedIn.headers.get('location')]).toEqual([303, '/']);
    const setCookie = signedIn.headers.get('set-cookie') ?? '';
    expect(setCookie).toMatch(/^python3_session=[\w-]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
    expect((await call(path, { key: null })).body.error.code).toBe('AUTH_SIGN_IN_INVALID');
    const cookie = setCookie.split(';')[0] ?? '';
    expect((await call(path, { key: null, headers: { cookie } })).status).toBe(303);
    const home = await call('/', { key: null, headers: { cookie } });
    expect(home.text).toContain('Signed in as <strong>developer</strong>');
    expect(home.text).toContain('1 of 3 in use');
    const send = (headers: Record<string, string>): ReturnType<typeof call> =>
      call('/api/v1/jobs', { ...post('{"code": "1"}'), key: null, headers: { cookie, ...headers } });
    expect((await send({})).body.error.code).toBe('AUTH_ORIGIN_REFUSED');
    expect((await send({ origin: 'http://evil.example' })).body.error.code).toBe('AUTH_ORIGIN_REFUSED');
    expect((await send({ origin })).status).toBe(202);
    expect((await call('/api/v1/workers', { key: null, headers: { cookie } })).body.workers).toHaveLength(1);
    const out = await call('/sign-out', { method: 'POST', key: null, headers: { cookie, origin } });
    expect([out.status, out.headers.get('set-cookie')]).toEqual([303, expect.stringContaining('Max-Age=0')]);
  });

  it('gets a page that tells how to run the first job, without script or inline style', async () => {
    const { call } = await startCluster();
    const home = await call('/', { key: null });
    expect(home.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(home.text).toContain('$(cat .data/secrets/developer.key)');
    expect(home.text).not.toMatch(/<script|style=|<style/);
    expect(home.headers.get('content-security-policy')).not.toContain('unsafe-inline');
    expect((await call('/assets/home.css', { key: null })).headers.get('content-type')).toBe('text/css; charset=utf-8');
  });
});
