import { describe, expect, it } from '@jest/globals';
import { KeyRing } from '@python3-cluster/shared';
import type { IncomingMessage } from 'node:http';
import { createAuthenticator } from './authenticator';
import { asksForAdminMode, createKeySource } from './key-source';
import { createConfiguredKeys } from './key-store';
import { createLoopbackSource } from './loopback-source';
import { sealSession, type SessionSubject } from './session-seals';
import { createSessionSource } from './session-source';

const ADMIN = 'a'.repeat(32);
const DEVELOPER = 'd'.repeat(32);
const keyRing = new KeyRing('s'.repeat(32));
const keySource = createKeySource(createConfiguredKeys({ adminApiKey: ADMIN, developerApiKey: DEVELOPER }));
const withKeys = createAuthenticator([keySource, createSessionSource(keyRing)]);
const loopbackOpen = createAuthenticator([keySource, createSessionSource(keyRing), createLoopbackSource()]);

type Headers = Readonly<Record<string, string | string[]>>;

/** As Node presents it: a second `Authorization` is dropped from `headers`, other repeated headers are joined. */
function requestWith(headers: Headers, { method = 'POST', remoteAddress = '127.0.0.1', localPort = 8311 } = {}): IncomingMessage {
  const distinct = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value].flat()]));
  const joined = Object.fromEntries(
    Object.entries(distinct).map(([name, values]) => [name, name === 'authorization' ? values[0] : values.join(', ')]),
  );
  return { method, headers: joined, headersDistinct: distinct, socket: { remoteAddress, localPort } } as unknown as IncomingMessage;
}

/** `<key id> <via>`, or the code of the refusal. */
function outcomeOf(authenticator: typeof withKeys, request: IncomingMessage): string {
  try {
    const caller = authenticator.authenticate(request);
    return `${caller.keyId} ${caller.via}`;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code);
    throw error;
  }
}

describe('keys', () => {
  it.each<[string, Headers, string]>([
    ['no credential', {}, 'AUTH_REQUIRED'],
    ['a bearer key', { authorization: `Bearer ${DEVELOPER}` }, 'developer key'],
    ['a bearer key, scheme in small letters', { authorization: `bearer ${ADMIN}` }, 'admin key'],
    ['an API key', { 'x-api-key': DEVELOPER }, 'developer key'],
    ['the admin key as API key', { 'x-api-key': ADMIN }, 'admin key'],
    ['the admin key header', { 'x-python3-admin-key': ADMIN }, 'admin key'],
    ['one key sent twice', { authorization: `Bearer ${ADMIN}`, 'x-api-key': ADMIN }, 'admin key'],
    ['a wrong bearer key', { authorization: 'Bearer nonsense' }, 'AUTH_KEY_INVALID'],
    ['a key with something behind it', { authorization: `Bearer ${DEVELOPER}x` }, 'AUTH_KEY_INVALID'],
    ['an empty bearer key', { authorization: 'Bearer ' }, 'AUTH_KEY_INVALID'],
    ['another scheme', { authorization: 'Basic dXNlcjpwYXNz' }, 'AUTH_KEY_INVALID'],
    ['an empty API key', { 'x-api-key': '' }, 'AUTH_KEY_INVALID'],
    ['the developer key as admin key', { 'x-python3-admin-key': DEVELOPER }, 'AUTH_KEY_INVALID'],
    ['two keys that disagree', { authorization: `Bearer ${DEVELOPER}`, 'x-api-key': ADMIN }, 'AUTH_KEY_INVALID'],
    ['a right and a wrong key', { authorization: `Bearer ${DEVELOPER}`, 'x-api-key': 'nonsense' }, 'AUTH_KEY_INVALID'],
    ['a right and a wrong admin key', { authorization: `Bearer ${ADMIN}`, 'x-python3-admin-key': 'nonsense' }, 'AUTH_KEY_INVALID'],
    ['a second, different Authorization', { authorization: [`Bearer ${DEVELOPER}`, `Bearer ${ADMIN}`] }, 'AUTH_KEY_INVALID'],
  ])('%s', (_words, headers, expected) => {
    expect(outcomeOf(withKeys, requestWith(headers))).toBe(expected);
  });

  it('that are not configured are never matched, not even by an empty one', () => {
    const none = createAuthenticator([createKeySource(createConfiguredKeys({ adminApiKey: '', developerApiKey: '' }))]);
    expect(outcomeOf(none, requestWith({ 'x-api-key': '' }))).toBe('AUTH_KEY_INVALID');
    expect(outcomeOf(none, requestWith({ 'x-python3-admin-key': '' }))).toBe('AUTH_KEY_INVALID');
  });

  it.each<[Headers, boolean]>([
    [{ 'x-python3-admin-key': ADMIN }, true],
    [{ 'x-admin-mode': 'TRUE', 'x-api-key': ADMIN }, true],
    [{ 'x-admin-mode': 'false', 'x-api-key': ADMIN }, false],
    [{ 'x-api-key': ADMIN }, false],
  ])('headers %j ask for ADMIN mode: %s', (headers, expected) => {
    expect(asksForAdminMode(requestWith(headers))).toBe(expected);
  });
});

describe('a session', () => {
  const cookieFor = (subject: SessionSubject, expiresAt = Date.now() + 1_000): string =>
    `a=b; python3_session=${sealSession(keyRing, subject, { role: 'admin', nonce: 'n', expiresAt })}`;
  const own = { host: '127.0.0.1:8311', origin: 'http://127.0.0.1:8311', 'content-type': 'application/json' };

  it.each<[string, Headers, string, string]>([
    ['reads', { cookie: cookieFor('cookie') }, 'GET', 'admin session'],
    ['writes from our own page', { cookie: cookieFor('cookie'), ...own }, 'POST', 'admin session'],
    [
      'does not write without an origin',
      { cookie: cookieFor('cookie'), 'content-type': 'application/json' },
      'POST',
      'AUTH_ORIGIN_REFUSED',
    ],
    [
      'does not write from another port',
      { cookie: cookieFor('cookie'), ...own, origin: 'http://127.0.0.1:9000' },
      'POST',
      'AUTH_ORIGIN_REFUSED',
    ],
    [
      'does not write from https to http',
      { cookie: cookieFor('cookie'), ...own, origin: 'https://127.0.0.1:8311' },
      'DELETE',
      'AUTH_ORIGIN_REFUSED',
    ],
    [
      'does not write what a form can send',
      { cookie: cookieFor('cookie'), ...own, 'content-type': 'text/plain' },
      'POST',
      'REQUEST_MEDIA_TYPE',
    ],
    ['does not outlive its time', { cookie: cookieFor('cookie', Date.now() - 1) }, 'GET', 'AUTH_KEY_INVALID'],
    ['is not a sign-in link', { cookie: cookieFor('sign-in') }, 'GET', 'AUTH_KEY_INVALID'],
    ['is not what somebody makes up', { cookie: 'python3_session=abc' }, 'GET', 'AUTH_KEY_INVALID'],
    ['stands back behind a key', { cookie: cookieFor('cookie'), 'x-api-key': DEVELOPER }, 'POST', 'developer key'],
  ])('%s', (_words, headers, method, expected) => {
    expect(outcomeOf(withKeys, requestWith(headers, { method }))).toBe(expected);
  });
});

describe('loopback-open', () => {
  const plain = { host: 'localhost:8311', 'content-type': 'application/json', 'content-length': '10' };

  it.each<[string, Headers, object, string]>([
    ['from this machine', plain, {}, 'loopback loopback'],
    ['over IPv6', { ...plain, host: '[::1]:8311' }, { remoteAddress: '::1' }, 'loopback loopback'],
    ['over IPv4 in IPv6', { ...plain, host: '127.0.0.1:8311' }, { remoteAddress: '::ffff:127.0.0.1' }, 'loopback loopback'],
    ['from our own page', { ...plain, origin: 'http://localhost:8311', 'sec-fetch-site': 'same-origin' }, {}, 'loopback loopback'],
    ['without a body', { host: 'localhost:8311' }, { method: 'GET' }, 'loopback loopback'],
    ['from another machine', plain, { remoteAddress: '10.0.0.5' }, 'AUTH_REQUIRED'],
    ['through a proxy', { ...plain, 'x-forwarded-for': '10.0.0.5' }, {}, 'AUTH_REQUIRED'],
    ['through a proxy that forwards the protocol only', { ...plain, 'x-forwarded-proto': 'https' }, {}, 'AUTH_REQUIRED'],
    ['through a modern proxy', { ...plain, forwarded: 'for=10.0.0.5' }, {}, 'AUTH_REQUIRED'],
    ['under another name (DNS rebinding)', { ...plain, host: 'evil.example:8311' }, {}, 'AUTH_REQUIRED'],
    ['under a name that begins like ours', { ...plain, host: '127.0.0.1.evil.example:8311' }, {}, 'AUTH_REQUIRED'],
    ['for another port', { ...plain, host: 'localhost:8312' }, {}, 'AUTH_REQUIRED'],
    ['for no port', { ...plain, host: 'localhost' }, {}, 'AUTH_REQUIRED'],
    ['without a Host', { 'content-type': 'application/json' }, {}, 'AUTH_REQUIRED'],
    ['from a foreign page', { ...plain, origin: 'http://evil.example' }, {}, 'AUTH_REQUIRED'],
    ['from a sandboxed page', { ...plain, origin: 'null' }, {}, 'AUTH_REQUIRED'],
    ['from another page on this machine', { ...plain, 'sec-fetch-site': 'same-site' }, {}, 'AUTH_REQUIRED'],
    ['with a body that is not JSON', { ...plain, 'content-type': 'text/plain' }, {}, 'AUTH_REQUIRED'],
    ['with a chunked body of no type', { host: 'localhost:8311', 'transfer-encoding': 'chunked' }, {}, 'AUTH_REQUIRED'],
    ['with a wrong key', { ...plain, 'x-api-key': 'nonsense' }, {}, 'AUTH_KEY_INVALID'],
    ['with a key', { ...plain, 'x-api-key': ADMIN }, {}, 'admin key'],
  ])('%s', (_words, headers, connection, expected) => {
    expect(outcomeOf(loopbackOpen, requestWith(headers, connection))).toBe(expected);
  });

  it('makes nobody an admin', () => {
    expect(loopbackOpen.authenticate(requestWith(plain)).role).toBe('developer');
  });
});
