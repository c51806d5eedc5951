import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { KeyRing, type KeyPurpose } from './key-ring';
import { openSeal, readUnverified, seal, type SealContext } from './seal';

const OLD = 'former-master-key-0123456789abcdef-0123';
const NEW = 'current-master-key-0123456789abcdef-012';
const ring = new KeyRing(NEW);
const context: SealContext = { purpose: 'job', scope: 'default', subject: 'default.1' };
const content = Buffer.from('{"a":1}\npayload \u0000 é');
const sealed = seal(ring, context, content);
const prefixBytes = sealed.indexOf('\n') + 1;

describe('sealed content', () => {
  it.each([
    ['text', content],
    ['nothing', Buffer.alloc(0)],
    ['line feeds only', Buffer.from('\n\n\n')],
    ['something that looks sealed', sealed],
    ['any bytes', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
    ['a megabyte', randomBytes(1_000_000)],
  ])('is given back byte by byte: %s', (_, bytes) => {
    expect(openSeal(ring, context, seal(ring, context, bytes))?.equals(bytes)).toBe(true);
  });

  it('stands behind version, key id and MAC on a line of its own', () => {
    expect(sealed.toString()).toMatch(/^1\.[0-9a-f]{12}\.[A-Za-z0-9_-]{43}\n/);
    expect(sealed.subarray(prefixBytes).equals(content)).toBe(true);
  });

  it.each<[string, Partial<SealContext>]>([
    ...(['result', 'record', 'session'] as const).map((purpose): [string, Partial<SealContext>] => [`purpose ${purpose}`, { purpose }]),
    ['another scope', { scope: 'vision' }],
    ['a scope that begins the same', { scope: 'default2' }],
    ['no scope', { scope: '' }],
    ['another subject', { subject: 'default.2' }],
    ['no subject', { subject: '' }],
    ['scope and subject shifted', { scope: 'defaul', subject: 'tdefault.1' }],
    ['scope and subject exchanged', { scope: 'default.1', subject: 'default' }],
    ['a scope that swallows the subject', { scope: 'default\ndefault.1', subject: '' }],
  ])('is not believed with %s', (_, change) => {
    expect(openSeal(ring, { ...context, ...change }, sealed)).toBeUndefined();
  });

  it('is not believed with any one bit of the MAC changed', () => {
    const [version, keyId, mac] = sealed.toString('latin1', 0, prefixBytes - 1).split('.') as [string, string, string];
    const bytes = Buffer.from(mac, 'base64url');
    expect(bytes).toHaveLength(32);
    for (let bit = 0; bit < 256; bit += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const forged = Buffer.concat([Buffer.from(`${version}.${keyId}.${changed.toString('base64url')}\n`), content]);
      expect([bit, openSeal(ring, context, forged)]).toEqual([bit, undefined]);
    }
    // The same way of putting it together, unchanged, is believed: the loop above could have failed.
    expect(
      openSeal(ring, context, Buffer.concat([Buffer.from(`${version}.${keyId}.${bytes.toString('base64url')}\n`), content])),
    ).toBeDefined();
  });

  it('is not believed with any one bit of the content changed, nor with a byte more or less', () => {
    for (let bit = prefixBytes * 8; bit < sealed.length * 8; bit += 1) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect([bit, openSeal(ring, context, changed)]).toEqual([bit, undefined]);
    }
    expect(openSeal(ring, context, sealed.subarray(0, -1))).toBeUndefined();
    expect(openSeal(ring, context, Buffer.concat([sealed, Buffer.from('\n')]))).toBeUndefined();
  });

  it('is not believed with a changed version or key id', () => {
    for (let at = 0; at < 14; at += 1) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(at) === 0x30 ? 0x31 : 0x30, at);
      expect([at, openSeal(ring, context, changed)]).toEqual([at, undefined]);
    }
  });

  it.each([
    ['nothing', ''],
    ['a line feed', '\n'],
    ['no line feed', sealed.toString('latin1', 0, prefixBytes - 1)],
    ['no MAC', `1.${ring.currentKeyId}.\n`],
    ['a short MAC', `1.${ring.currentKeyId}.AAAA\nx`],
    ['an empty MAC of the right length', `1.${ring.currentKeyId}.${'A'.repeat(43)}\nx`],
    ['a MAC in padded base64', sealed.toString('latin1').replace('\n', '=\n')],
    ['CR LF', sealed.toString('latin1').replace('\n', '\r\n')],
    ['a space in front', ` ${sealed.toString('latin1')}`],
    ['a line that never ends', 'x'.repeat(1_000_000)],
    ['a prototype’s name as key id', `1.__proto__.${'A'.repeat(43)}\nx`],
    ['JSON', '{"type":"x"}\n'],
  ])('that is %s is not believed', (_, text) => {
    expect(openSeal(ring, context, Buffer.from(text, 'latin1'))).toBeUndefined();
  });

  it('cannot be made for a scope or subject that holds a line feed', () => {
    for (const change of [{ scope: 'a\nb' }, { subject: 'a\nb' }, { scope: '\n' }, { subject: 'x\n' }])
      expect(() => seal(ring, { ...context, ...change }, content)).toThrow();
  });

  it('can be read unverified, for choosing what to verify it with', () => {
    expect(readUnverified(sealed)?.equals(content)).toBe(true);
    expect(readUnverified(Buffer.from('garbage\nx'))).toBeUndefined();
  });
});

describe('rotation', () => {
  const before = seal(new KeyRing(OLD), context, content);

  it('a former key is still believed, and the new one signs', () => {
    const rotated = new KeyRing(NEW, [OLD]);
    expect(openSeal(rotated, context, before)).toEqual(content);
    const after = seal(rotated, context, content);
    expect(after.toString('latin1', 2, 14)).toBe(new KeyRing(NEW).currentKeyId);
    expect(openSeal(new KeyRing(OLD), context, after)).toBeUndefined();
    expect(openSeal(new KeyRing(NEW), context, after)).toEqual(content);
  });

  it('a removed key is no longer believed', () => {
    expect(openSeal(new KeyRing(NEW), context, before)).toBeUndefined();
    expect(openSeal(new KeyRing(NEW, ['another-former-key-0123456789abcdef-01']), context, before)).toBeUndefined();
  });

  it('a seal under one key’s MAC and another’s id is not believed', () => {
    const ids = [new KeyRing(OLD).currentKeyId, new KeyRing(NEW).currentKeyId] as const;
    const relabelled = Buffer.from(before.toString('latin1').replace(ids[0], ids[1]), 'latin1');
    expect(relabelled.equals(before)).toBe(false);
    expect(openSeal(new KeyRing(NEW, [OLD]), context, relabelled)).toBeUndefined();
  });

  it('during a rolling rotation, both sides believe each other', () => {
    const [ahead, behind] = [new KeyRing(NEW, [OLD]), new KeyRing(OLD, [NEW])];
    expect(openSeal(behind, context, seal(ahead, context, content))).toEqual(content);
    expect(openSeal(ahead, context, seal(behind, context, content))).toEqual(content);
  });
});

describe('keys', () => {
  it('from `openssl rand -hex 32` are taken', () => {
    const key = execFileSync('openssl', ['rand', '-hex', '32'], { encoding: 'utf8' }).trim();
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    expect(openSeal(new KeyRing(key), context, seal(new KeyRing(key), context, content))).toEqual(content);
  });

  it('of different purposes and scopes are all different', () => {
    const keys = new Set<string>();
    const purposes: KeyPurpose[] = ['job', 'result', 'record', 'session'];
    const scopes = ['', 'a', 'b', 'a|b', '|a', 'job|a'];
    for (const purpose of purposes)
      for (const scope of scopes) keys.add(ring.deriveKey(ring.currentKeyId, purpose, scope)?.toString('hex') ?? '');
    expect(keys.size).toBe(purposes.length * scopes.length);
  });

  it('of an unknown master are not derived', () => {
    for (const id of ['', 'constructor', '0'.repeat(12), new KeyRing(OLD).currentKeyId])
      expect(ring.deriveKey(id, 'job', 'x')).toBeUndefined();
  });

  it('are derived for more scopes than are cached, always the same', () => {
    const first = ring.deriveKey(ring.currentKeyId, 'result', 'node-0');
    for (let index = 0; index < 10_050; index += 1) ring.deriveKey(ring.currentKeyId, 'result', `node-${index}`);
    expect(ring.deriveKey(ring.currentKeyId, 'result', 'node-0')).toEqual(first);
  });

  it('are named by an id that tells nothing of them', () => {
    expect(ring.currentKeyId).toMatch(/^[0-9a-f]{12}$/);
    expect(ring.currentKeyId).not.toBe(new KeyRing(`${NEW}x`).currentKeyId);
  });
});
