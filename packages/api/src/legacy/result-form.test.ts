import { describe, expect, it } from '@jest/globals';
import type { OutcomeParts, RunKind } from '@python3-cluster/shared';
import { toJsonBuffer } from '../responses/raw-json';
import { readResultForm, toLegacyResult, type ResultForm } from './result-form';

function render(kind: RunKind, value: string | undefined, stdout: string, form: ResultForm): string {
  const parts = {
    outcome: { hasValue: value !== undefined },
    value: Buffer.from(value ?? ''),
    stdout: Buffer.from(stdout),
    stderr: Buffer.alloc(0),
  };
  return toJsonBuffer(toLegacyResult(kind, parts as unknown as OutcomeParts, form)).toString();
}

describe('result', () => {
  it.each([
    ['2', '2', '"2"'],
    ['4.0', '4.0', '"4.0"'],
    ['9007199254740993', '9007199254740993', '"9007199254740993"'],
    ['true', 'true', '"true"'],
    ['null', 'null', 'null'],
    ['"x"', '"x"', '"x"'],
    ['"\\ud800"', '"\\ud800"', '"\\ud800"'],
    ['[1, "a", null]', '[1, "a", null]', '"[1, \\"a\\", null]"'],
    ['{"a": 1.0}', '{"a": 1.0}', '"{\\"a\\": 1.0}"'],
  ])('of %s is %s, as text %s', (value, json, text) => {
    expect(render('exec', value, 'printed', 'json')).toBe(json);
    expect(render('exec', value, 'printed', 'string')).toBe(text);
  });

  it('is what statements printed where they set no value', () => {
    expect(render('exec', undefined, 'a\n', 'json')).toBe('"a\\n"');
    expect(render('exec', undefined, 'a\n', 'string')).toBe('"a\\n"');
    expect(render('exec', undefined, '', 'json')).toBe('null');
    expect(render('call', undefined, 'a', 'json')).toBe('null');
  });

  it('has the form the header names, else the configured one', () => {
    expect(readResultForm(undefined, 'string')).toBe('string');
    expect(readResultForm('json', 'string')).toBe('json');
    expect(() => readResultForm('xml', 'json')).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  });
});
