import { expect, it } from '@jest/globals';
import { loadConfig } from '@python3-cluster/shared';
import type { Request } from 'express';
import { watchWork } from '../../../../test/support/work-per-turn.cjs';
import { readLegacyRequest } from '../legacy/legacy-request';
import { fingerprintOf } from './idempotency-key';
import { readJobRequest } from './job-request';
import { readMembers } from './read-body';

/** Far more than one turn may see. */
const BYTES = 4 * 1_048_576;
const { config } = loadConfig({});

const filled = (before: string, piece: (index: number) => string, after: string): string => {
  const count = Math.floor((BYTES - before.length - after.length) / piece(999_999).length);
  return `${before}${Array.from({ length: count }, (_, index) => piece(100_000 + index)).join('')}${after}`;
};
const text = (field: string, piece: string): string => filled(`{"code":"1","${field}":"`, () => piece, '"}');

/** What a caller may make large, each far larger than a turn. */
const SHAPES: readonly [words: string, build: () => string][] = [
  ...['variables', 'kwargs', 'labels'].flatMap((field): [string, () => string][] => [
    [`names in ${field}`, () => filled(`{"code":"1","${field}":{"x":1`, (index) => `,"a${index}":1`, '}}')],
    [`one name again and again in ${field}`, () => filled(`{"code":"1","${field}":{"x":1`, () => ',"x":1', '}}')],
    [`names of strange letters in ${field}`, () => filled(`{"code":"1","${field}":{"x":1`, (index) => `,"${'ﬃ'.repeat(80)}${index}":1`, '}}')],
    [`one name in ${field}`, () => filled(`{"code":"1","${field}":{"`, () => 'é', '":1}}')],
    [`strings in ${field}`, () => filled(`{"code":"1","${field}":{"x":"`, () => '\\u00e9', '"}}')],
    [`objects in ${field}`, () => filled(`{"code":"1","${field}":{"x":[{}`, (index) => `,{"a${index}":{}}`, ']}}')],
    [`space in ${field}`, () => filled(`{"code":"1","${field}":{`, () => ' ', '}}')],
    [`spaces in ${field}`, () => filled(`{"code":"1","${field}":{"x":[1`, () => `,${' '.repeat(1_000_000)}1`, ']}}')],
  ]),
  ['fields', () => filled('{"code":"1"', (index) => `,"a${index}":1`, '}')],
  ['one field again and again', () => filled('{"code":"1"', () => ',"x":1', '}')],
  ['the name of a field', () => filled('{"code":"1","', () => 'x', '":1}')],
  ['the name of a field in escapes', () => filled('{"code":"1","', () => '\\u0041', '":1}')],
  ['a field of that name twice', () => `{"${'x'.repeat(1_000_000)}":1,"${'x'.repeat(1_000_000)}":1}`],
  ...['x', '\\u0041', '\\n', 'é', '\\ud83d\\ude00', ' '].map((piece): [string, () => string] => [`code of ${piece}`, () => filled('{"code":"', () => piece, '"}')]),
  ...['kind', 'mode', 'isolation', 'lane', 'delivery', 'module', 'function', 'unknown', 'script'].flatMap((field): [string, () => string][] => [
    [`text in ${field}`, () => text(field, 'x')],
    [`escapes in ${field}`, () => text(field, '\\u00e9')],
  ]),
  ...['timeoutMs', 'priority', 'attempts', 'backoffMs', 'delayMs', 'resultTtlSeconds'].flatMap((field): [string, () => string][] => [
    [`digits in ${field}`, () => filled(`{"code":"1","${field}":`, () => '1', '}')],
    [`zeros in ${field}`, () => filled(`{"code":"1","${field}":1.`, () => '0'.repeat(1_000_000), '}')],
  ]),
  ['names in retryOn', () => filled('{"code":"1","retryOn":["failed"', () => ',"failed"', ']}')],
  ['values in args', () => filled('{"module":"m","function":"f","args":[1', (index) => `,${index}`, ']}')],
  ['brackets', () => filled('{"module":"m","function":"f","args":[', () => `${'['.repeat(150)}${']'.repeat(150)},`, '1]}')],
  ['digits in args', () => filled('{"module":"m","function":"f","args":[1', () => `,${'1'.repeat(1_000_000)}`, ']}')],
  ['nothing but space', () => ' '.repeat(BYTES)],
  ['space behind', () => `{"code":"1"}${' '.repeat(BYTES - 20)}`],
]; // prettier-ignore

/** A run of the greatest length is made a text and searched; all else is less. */
const MOST_BYTES_PER_TURN = 2.5 * 1_048_576;

it.each(SHAPES)('no turn of the event loop sees more than a part of many or large %s', async (_words, build) => {
  const request = { method: 'POST', path: '/', headers: { 'content-type': 'application/json' }, body: Buffer.from(build()) } as unknown as Request;
  const work = watchWork();
  const reads: (() => Promise<unknown>)[] = [
    async () => readJobRequest(await readMembers(request, { lenientMediaType: false }), config),
    async () => readLegacyRequest('exec', await readMembers(request, { lenientMediaType: true }), config),
    () => fingerprintOf(request, 'restricted'),
  ];
  try {
    for (const read of reads) {
      await read().catch(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    work.stop();
  }
  const { bytes, largest } = work.take();
  expect([bytes <= MOST_BYTES_PER_TURN, bytes, largest]).toEqual([true, bytes, largest]);
}); // prettier-ignore
