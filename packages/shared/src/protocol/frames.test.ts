import { describe, expect, it } from '@jest/globals';
import { SeededRandom } from '../../../../test/contracts/seeded-random';
import { parseTemplateMessage } from './control-messages';
import { encodeFrame, FrameReader, MAX_HEADER_BYTES, type Frame, type FrameHeader } from './frames';
import { parseChildMessage } from './job-messages';

const FRAME_ERROR = expect.objectContaining({ code: 'FRAME_INVALID' }) as unknown as Error;
const NOTHING = Buffer.alloc(0);
const frameOf = (header: string, body = ''): Buffer => {
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(Buffer.byteLength(header), 0);
  lengths.writeUInt32BE(Buffer.byteLength(body), 4);
  return Buffer.concat([lengths, Buffer.from(header), Buffer.from(body)]);
};
const lengthsOf = (headerBytes: number, bodyBytes: number): Buffer => {
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE(headerBytes, 0);
  lengths.writeUInt32BE(bodyBytes, 4);
  return lengths;
};
const readAll = (chunks: Iterable<Buffer>, maxBodyBytes = 1_000_000): Frame[] => {
  const reader = new FrameReader(maxBodyBytes);
  const frames = [...chunks].flatMap((chunk) => [...reader.push(chunk)].map(({ header, body }) => ({ header, body: Buffer.from(body) })));
  expect(reader.isMidFrame).toBe(false);
  return frames;
};

describe('what is encoded', () => {
  it('is read back, header and body', () => {
    const body = Buffer.from([0, 255, 10, 13, 123]);
    const [frame] = readAll([encodeFrame({ type: 'é世😀', nonce: 'a\nb' }, body)]);
    expect(frame).toEqual({ header: { type: 'é世😀', nonce: 'a\nb' }, body });
  });

  it('begins with the lengths in bytes, big-endian, header first', () => {
    expect(encodeFrame({ type: 'é' }, Buffer.from('abc')).toString('hex')).toBe(
      `0000000d00000003${Buffer.from('{"type":"é"}abc').toString('hex')}`,
    );
  });

  it('may have a header of 65,536 bytes and not one more', () => {
    const room = MAX_HEADER_BYTES - '{"type":""}'.length;
    expect(readAll([encodeFrame({ type: 'x'.repeat(room) })])).toHaveLength(1);
    expect(() => encodeFrame({ type: 'x'.repeat(room + 1) })).toThrow(FRAME_ERROR);
    expect(() => encodeFrame({ type: 'é'.repeat(room / 2 + 1) })).toThrow(FRAME_ERROR);
  });
});

describe('the chunks a stream comes in', () => {
  const frames = [
    encodeFrame({ type: 'a' }),
    encodeFrame({ type: 'b', text: 'é😀'.repeat(20) }, Buffer.from('body of b')),
    encodeFrame({ type: 'c' }, Buffer.alloc(0)),
    encodeFrame({ type: 'd' }, Buffer.alloc(3_000, 7)),
    encodeFrame({ type: 'e' }, frameOf('{"type":"a frame within a body"}')),
  ];
  const stream = Buffer.concat(frames);
  /** As text: Jest compares buffers byte by byte, slowly. */
  const read = (chunks: Iterable<Buffer>): string[] =>
    readAll(chunks).map(({ header, body }) => JSON.stringify(header) + body.toString('latin1'));
  const whole = read([stream]);

  it('do not matter: whole, byte by byte, cut anywhere in two', () => {
    expect(readAll([stream]).map(({ header }) => header.type)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(read(Array.from(stream, (byte) => Buffer.from([byte])))).toEqual(whole);
    for (let cut = 0; cut <= stream.length; cut += 1) expect(read([stream.subarray(0, cut), stream.subarray(cut)])).toEqual(whole);
  });

  it('do not matter: cut at random, empty chunks among them', () => {
    const random = new SeededRandom(3);
    for (let round = 0; round < 300; round += 1) {
      const chunks: Buffer[] = [];
      for (let at = 0; at < stream.length;) {
        const size = random.below(random.pick([2, 12, 500]));
        chunks.push(stream.subarray(at, at + size));
        at += size;
      }
      expect(read(chunks)).toEqual(whole);
    }
  });

  it('a frame is given out as soon as its last byte is there, and not before', () => {
    const reader = new FrameReader(100);
    const frame = frameOf('{"type":"x"}', 'abc');
    expect(reader.isMidFrame).toBe(false);
    expect([...reader.push(frame.subarray(0, -1))]).toHaveLength(0);
    expect(reader.isMidFrame).toBe(true);
    expect([...reader.push(frame.subarray(-1))]).toHaveLength(1);
    expect(reader.isMidFrame).toBe(false);
  });

  it('a large body in many small chunks is read in linear time', () => {
    const body = Buffer.alloc(8_000_000, 1);
    const frame = encodeFrame({ type: 'x' }, body);
    const reader = new FrameReader(body.length);
    const startedAt = performance.now();
    const found: Frame[] = [];
    for (let at = 0; at < frame.length; at += 1_000) found.push(...reader.push(frame.subarray(at, at + 1_000)));
    expect(found[0]?.body.equals(body)).toBe(true);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});

describe('bounds', () => {
  it.each([
    ['a header over its bound', lengthsOf(MAX_HEADER_BYTES + 1, 0)],
    ['a header of 4 GiB', lengthsOf(0xffff_ffff, 0)],
    ['a body over its bound', lengthsOf(10, 1_001)],
    ['a body of 4 GiB', lengthsOf(10, 0xffff_ffff)],
    ['text that is no frame', Buffer.from('Traceback (most recent call last):')],
  ])('%s is refused on its lengths alone, before anything of it is there', (_, start) => {
    const reader = new FrameReader(1_000);
    expect(() => [...reader.push(start)]).toThrow(FRAME_ERROR);
  });

  it('a header and a body of exactly their bounds pass', () => {
    const header = `{"type":"${'x'.repeat(MAX_HEADER_BYTES - 11)}"}`;
    expect(readAll([frameOf(header, 'b'.repeat(1_000))], 1_000)).toHaveLength(1);
  });

  it('a reader that has refused once refuses for good', () => {
    for (const bad of [lengthsOf(0xffff_ffff, 0), frameOf('[]')]) {
      const reader = new FrameReader(1_000);
      expect(() => [...reader.push(bad)]).toThrow(FRAME_ERROR);
      expect(() => [...reader.push(frameOf('{"type":"x"}'))]).toThrow(FRAME_ERROR);
    }
  });

  it('frames before the bad one are still given out', () => {
    const reader = new FrameReader(1_000);
    const frames = reader.push(Buffer.concat([frameOf('{"type":"x"}'), frameOf('[]')]));
    expect(frames.next().value).toMatchObject({ header: { type: 'x' } });
    expect(() => frames.next()).toThrow(FRAME_ERROR);
  });
});

describe('headers', () => {
  it.each([
    '', ' ', '[]', 'null', '1', '"type"', 'true', '{}', '{"Type":"x"}', '{"type":1}', '{"type":null}', '{"type":["x"]}', '{"type":"x"',
    '{"type":"x"}{}', '{"type":"x"}x', "{'type':'x'}", '{"type":"x",}', '{"__proto__":{"type":"x"}}',
  ])('%j is refused', (header) => {
    expect(() => readAll([frameOf(header)])).toThrow(FRAME_ERROR);
  }); // prettier-ignore

  it('that are not UTF-8 are refused', () => {
    const header = Buffer.from('{"type":"\xff"}', 'latin1');
    expect(() => readAll([Buffer.concat([lengthsOf(header.length, 0), header])])).toThrow(FRAME_ERROR);
  });

  it('that begin with a byte order mark are refused, as the Python side refuses them', () => {
    expect(() => readAll([frameOf('\ufeff{"type":"x"}')])).toThrow(FRAME_ERROR);
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', '', 'HELLO', 'hello ', 'x'.repeat(10_000)])(
    'type %j is no message',
    (type) => {
      const header = JSON.parse(JSON.stringify({ type, childId: 'c', nonce: 'n' })) as FrameHeader;
      for (const parse of [() => parseChildMessage({ header, body: NOTHING }), () => parseTemplateMessage(header)]) {
        expect(parse).toThrow(FRAME_ERROR);
        expect(parse).toThrow(expect.objectContaining({ message: expect.stringMatching(/^.{0,80}$/s) }));
      }
    },
  );

  it('members that only Object.prototype has are missing', () => {
    const error = JSON.parse('{"__proto__":{"type":"E","message":"","line":null,"traceback":"","errno":null}}') as unknown;
    const header = { type: 'result', nonce: 'n', status: 'failed', hasValue: false, error };
    expect(() => parseChildMessage({ header, body: NOTHING })).toThrow(FRAME_ERROR);
  });
});
