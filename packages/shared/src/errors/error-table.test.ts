import { describe, expect, it } from '@jest/globals';
import { ClusterError, errorDefinition, hasErrorCode, isClusterError } from './cluster-error';
import { errorTable, type ErrorCode, type ErrorDefinition } from './error-table';

const entries = Object.entries(errorTable) as [ErrorCode, ErrorDefinition][];

describe('the error table', () => {
  it.each(entries)('%s has a name, a message and a meaning that can be documented', (code, definition) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(definition.message).toMatch(/^[A-Z].*[^\s]$/);
    // One sentence: no full stop, question or exclamation mark before the end.
    expect(definition.message.slice(0, -1)).not.toMatch(/[.!?]\s/);
    expect(definition.message).not.toMatch(/\n|undefined|\$\{/);
    expect(definition.meaning).toMatch(/^\S.*\.$/);
    expect(definition.meaning).not.toBe(definition.message);
  });

  it.each(entries)('%s answers with a status that fits', (_, { status, retryAfterSeconds }) => {
    if (status !== null)
      expect([400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 417, 429, 431, 500, 501, 502, 503, 504]).toContain(status);
    if (status === 503) expect(retryAfterSeconds).toBeGreaterThan(0);
    if (retryAfterSeconds !== undefined) {
      expect(Number.isInteger(retryAfterSeconds)).toBe(true);
      expect([429, 503, 504]).toContain(status);
    }
  });
});

describe('a cluster error', () => {
  it.each(entries)('%s has the table’s message and Retry-After unless it is told others', (code, definition) => {
    const plain = new ClusterError(code);
    expect(plain).toMatchObject({ code, message: definition.message, retryAfterSeconds: definition.retryAfterSeconds, details: {} });
    expect(plain.cause).toBeUndefined();
    const cause = new Error('x');
    const exact = new ClusterError(code, 'More exactly.', { retryAfterSeconds: 77, details: { jobId: 'j' }, cause });
    expect(exact).toMatchObject({ code, message: 'More exactly.', retryAfterSeconds: 77, details: { jobId: 'j' }, cause });
    expect(errorDefinition(code)).toBe(definition);
  });

  it('is known by its code, whatever its class', () => {
    expect(isClusterError({ code: 'POOL_BUSY' })).toBe(true);
    expect(hasErrorCode({ code: 'POOL_BUSY' }, 'POOL_BUSY')).toBe(true);
    expect(hasErrorCode(new ClusterError('INTERNAL'), 'POOL_BUSY')).toBe(false);
  });

  it.each([null, undefined, 'POOL_BUSY', 1, {}, { code: 1 }, { code: 'ENOENT' }, { code: 'constructor' }, { code: 'toString' }, { code: '__proto__' }, new Error('x')])(
    '%p is none',
    (thing) => {
      expect(isClusterError(thing)).toBe(false);
      expect(hasErrorCode(thing, 'POOL_BUSY')).toBe(false);
    },
  ); // prettier-ignore
});
