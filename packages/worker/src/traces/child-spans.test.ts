import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { readChildSpans, type ChildSpans } from './child-spans';

interface Fixture {
  readonly name: string;
  readonly accepted: boolean;
  readonly reason?: string;
  readonly spans: { readonly compile: number[]; readonly execute: number[]; readonly user: unknown[][]; readonly dropped: number };
  readonly why: string;
}

const fixtures = JSON.parse(
  readFileSync(join(__dirname, '..', '..', '..', '..', 'test', 'contracts', 'spans.json'), 'utf8'),
) as readonly Fixture[];
const EPOCH = 1_767_225_600_000;
const RUN = [EPOCH, EPOCH + 10] as const;
const read = (spans: unknown): ChildSpans => {
  const found = readChildSpans(spans, RUN);
  if (typeof found === 'string') throw new Error(`refused: ${found}`);
  return found;
};

describe('the shared fixtures of spans', () => {
  it('hold both kinds', () => {
    expect(fixtures.filter(({ accepted }) => accepted).length).toBeGreaterThan(5);
    expect(fixtures.filter(({ accepted }) => !accepted).length).toBeGreaterThan(25);
  });

  it.each(fixtures)('$name: accepted $accepted ($why)', ({ accepted, reason, spans }) => {
    const found = readChildSpans(spans, RUN);
    if (accepted) expect(found).toMatchObject({ dropped: spans.dropped });
    else expect(found).toBe(reason);
  });

  it('give every reason there is', () => {
    const reasons = new Set(fixtures.map(({ reason }) => reason));
    for (const reason of ['shape', 'count', 'name', 'time', 'parent', 'attributes', 'bytes']) expect(reasons).toContain(reason);
  });
});

const span = (start: number, end: number): unknown => ['s', -1, start * 1_000, end * 1_000, {}, null];

it('times are put inside the run, and a span never ends before it begins', () => {
  const outside = { compile: null, execute: [0, 2 ** 52], user: [span(EPOCH + 5, EPOCH - 5), span(EPOCH + 50, EPOCH + 60)], dropped: 0 };
  const { execute, user } = read(outside);
  expect(execute).toEqual(RUN);
  expect(user.map(({ interval }) => interval)).toEqual([
    [EPOCH + 5, EPOCH + 5],
    [EPOCH + 10, EPOCH + 10],
  ]);
});

it('a lone surrogate, which would spoil a whole batch, becomes a replacement character', () => {
  const [found] = read({ compile: null, execute: null, user: [['a\ud800', -1, 0, 0, { k: '\udc00b' }, 'E\ud800']], dropped: 0 }).user;
  expect(found).toMatchObject({ name: 'a\uFFFD', attributes: { k: '\uFFFDb' }, errorType: 'E\uFFFD' });
});

it('no list, however it is made, raises anything', () => {
  const values = [null, 0, -1, 0.5, '', 'x', true, [], {}, [[]], { a: 1 }, 2 ** 60, 'x'.repeat(100_000)];
  for (const value of values) {
    expect(() => readChildSpans(value, RUN)).not.toThrow();
    for (const member of ['compile', 'execute', 'user', 'dropped'])
      expect(() => readChildSpans({ compile: null, execute: null, user: [], dropped: 0, [member]: value }, RUN)).not.toThrow();
    for (let at = 0; at < 6; at += 1) {
      const one: unknown[] = ['s', -1, 0, 0, {}, null];
      one[at] = value;
      expect(() => readChildSpans({ compile: null, execute: null, user: [one], dropped: 0 }, RUN)).not.toThrow();
    }
  }
});
