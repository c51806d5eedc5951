import { expect, it } from '@jest/globals';
import { RawJson } from '../responses/raw-json';
import { formatEvent } from './format-event';

it('an event has its name, its id, and its data on one line', () => {
  expect(formatEvent('stdout', '1.2.3', { text: 'a\n\nb\r' }).toString()).toBe(
    'event: stdout\nid: 1.2.3\ndata: {"text":"a\\n\\nb\\r"}\n\n',
  );
});

it('a value that Python wrote over several lines stays one event, and the same JSON', () => {
  const value = '{\n\n"a":\r\n[1,\r2.0,"é"],\n\r"id: x":9007199254740993}';
  const event = formatEvent('outcome', '1.0.0.end', { value: new RawJson(Buffer.from(value)) }).toString();
  const lines = event.split('\n');
  expect(lines.slice(0, 2)).toEqual(['event: outcome', 'id: 1.0.0.end']);
  expect(lines.slice(-2)).toEqual(['', '']);
  const data = lines.slice(2, -2);
  for (const line of data) expect(line).toMatch(/^data: [^\r]*$/);
  const text = data.map((line) => line.slice('data: '.length)).join('\n');
  expect(text).toBe(`{"value":${value.replaceAll(/\r\n|\r/g, '\n')}}`);
});
