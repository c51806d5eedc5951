import { describe, expect, it } from '@jest/globals';
import type { Request } from 'express';
import { readMembers } from './read-body';

function read(
  body: Buffer | string | undefined,
  contentType: string | undefined = 'application/json',
  lenientMediaType = false,
): Promise<ReadonlyMap<string, Buffer>> {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  return readMembers({ headers: { 'content-type': contentType }, body: bytes } as unknown as Request, { lenientMediaType });
}

const nested = (depth: number): string => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;

describe('a request body', () => {
  it.each<[string, Buffer | string | undefined, string]>([
    ['nothing', undefined, 'REQUEST_INVALID_JSON'],
    ['an empty body', '', 'REQUEST_INVALID_JSON'],
    ['text', 'code=1', 'REQUEST_INVALID_JSON'],
    ['an array', '[]', 'REQUEST_INVALID_JSON'],
    ['a comment', '{"a":1} // x', 'REQUEST_INVALID_JSON'],
    ['a trailing comma', '{"a":1,}', 'REQUEST_INVALID_JSON'],
    ['NaN', '{"a":NaN}', 'REQUEST_INVALID_JSON'],
    ['a name given twice', '{"a":1,"a":2}', 'REQUEST_INVALID_JSON'],
    ['a name given twice, once with an escape', '{"a":1,"\\u0061":2}', 'REQUEST_INVALID_JSON'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'REQUEST_INVALID_JSON'],
    ['a byte order mark', '\ufeff{"a":1}', 'REQUEST_INVALID_JSON'],
    ['nesting one level too deep', nested(200), 'REQUEST_TOO_DEEP'],
    ['a depth bomb', '{"a":' + '['.repeat(1_000_000), 'REQUEST_TOO_DEEP'],
  ])('that is %s is refused', async (_words, body, code) => {
    await expect(read(body)).rejects.toThrow(expect.objectContaining({ code }));
  });

  it('may be nested to the limit', async () => {
    expect([...(await read(nested(199))).keys()]).toEqual(['a']);
  });

  it.each(['application/json', 'application/JSON; charset=UTF-8', 'application/vnd.api+json', 'application/json; charset="utf-8"'])(
    'may be %s',
    async (type) => {
      expect((await read('{"a":1.0}', type)).get('a')?.toString()).toBe('1.0');
    },
  );

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=latin1', 'application/jsonx', ''])(
    'may not be %p',
    async (type) => {
      await expect(read('{}', type)).rejects.toThrow(expect.objectContaining({ code: 'REQUEST_MEDIA_TYPE' }));
    },
  );

  it('may lack a content type, or have text/plain, on the routes of the predecessor only', async () => {
    const request = (lenientMediaType: boolean): Promise<unknown> =>
      readMembers({ headers: {}, body: Buffer.from('{}') } as Request, { lenientMediaType });
    expect(await request(true)).toEqual(new Map());
    expect(await read('{}', 'text/plain; charset=utf-8', true)).toEqual(new Map());
    await expect(request(false)).rejects.toThrow(expect.objectContaining({ code: 'REQUEST_MEDIA_TYPE' }));
    await expect(read('{}', 'application/x-www-form-urlencoded', true)).rejects.toThrow(
      expect.objectContaining({ code: 'REQUEST_MEDIA_TYPE' }),
    );
  });
});
