import { describe, expect, it } from '@jest/globals';
import { SeededRandom } from '../../../../test/contracts/seeded-random';
import { OutputText } from './output-text';

/** What a decoder makes of it that has nothing to do with ours. */
const decoded = (raw: Buffer): Buffer => Buffer.from(new TextDecoder('utf-8', { ignoreBOM: true }).decode(raw));

const PARTS = ['a', '\n', 'é', '世', '😀', '\u0000', '\ufeff'].map((text) => Buffer.from(text));
const BROKEN = [[0xff], [0xc0, 0xaf], [0xe4, 0xb8], [0xf0, 0x9f, 0x98], [0xed, 0xa0, 0x80], [0x80], [0xe0, 0x80]].map((bytes) =>
  Buffer.from(bytes),
);

describe('text that is still being written', () => {
  it('is, however it comes and whenever it is read, a part of what it is in the end', () => {
    const random = new SeededRandom(20_261_124);
    for (let round = 0; round < 300; round += 1) {
      const parts = Array.from({ length: random.below(60) }, () => random.pick(random.below(4) === 0 ? BROKEN : PARTS));
      const raw = random.below(10) === 0 ? random.bytes(80) : Buffer.concat(parts);
      const whole = decoded(raw);
      const text = new OutputText(10_000);
      const read: Buffer[] = [];
      let at = 0;
      for (let from = 0; from < raw.length;) {
        const to = Math.min(raw.length, from + 1 + random.below(5));
        text.add(raw.subarray(from, to));
        from = to;
        if (random.below(2) === 0) {
          const bytes = text.read(at, 4 + random.below(20));
          expect(decoded(bytes).equals(bytes)).toBe(true);
          read.push(bytes);
          at += bytes.length;
        }
      }
      text.end();
      read.push(text.read(at, 10_000));
      expect(Buffer.concat(read).toString('hex')).toBe(whole.toString('hex'));
      expect(text.all().equals(whole)).toBe(true);
      const offset = random.below(whole.length + 2);
      expect(text.read(offset, 10_000).equals(whole.subarray(offset))).toBe(true);
      expect([text.length, text.wasCut]).toEqual([whole.length, false]);
    }
  });

  it('is cut where the limit is, at a whole character, and stays so', () => {
    const text = new OutputText(5);
    text.add(Buffer.from('abé'));
    expect([text.all().toString(), text.wasCut]).toEqual(['abé', false]);
    text.add(Buffer.from('é'));
    expect([text.all().toString(), text.wasCut]).toEqual(['abé', true]);
    text.add(Buffer.from('c'));
    text.end();
    expect([text.all().toString(), text.read(2, 10).toString(), text.length]).toEqual(['abé', 'é', 4]);
  });

  it('is read in whole characters, nothing where there is nothing', () => {
    const text = new OutputText(100);
    expect([text.read(0, 10).length, text.read(50, 10).length]).toEqual([0, 0]);
    for (const part of ['a😀', 'b', 'é']) text.add(Buffer.from(part));
    expect([1, 2, 4, 5, 6, 7, 8].map((most) => text.read(0, most).toString())).toEqual(['a', 'a', 'a', 'a😀', 'a😀b', 'a😀b', 'a😀bé']);
    expect([text.read(5, 1).toString(), text.read(8, 10).length, text.read(9_999_999_999, 10).length]).toEqual(['b', 0, 0]);
  });

  it('holds an unfinished character back until it is whole, or nothing follows', () => {
    const text = new OutputText(100);
    text.add(Buffer.from([0x61, 0xf0, 0x9f]));
    expect(text.read(0, 100).toString()).toBe('a');
    text.add(Buffer.from([0x98, 0x80, 0xe4]));
    expect(text.read(1, 100).toString()).toBe('😀');
    text.end();
    expect(text.read(5, 100).toString()).toBe('\ufffd');
  });
});
