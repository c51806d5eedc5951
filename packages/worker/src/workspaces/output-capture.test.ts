import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '../../../../test/support/wait-for';
import { makeNamedPipes } from '../run-directory/stage-runner';
import { OutputCapture } from './output-capture';

let directory: string;
let path: string;
let capture: OutputCapture;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'python3-capture-'));
  path = join(directory, 'stdout');
  await makeNamedPipes([path]);
  capture = new OutputCapture(path);
});
afterEach(() => {
  capture.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Writes without waiting: nobody has read yet when `finish` is called. */
function write(...chunks: readonly (string | readonly number[])[]): void {
  const pipe = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  for (const chunk of chunks) writeSync(pipe, Buffer.from(chunk as string));
  closeSync(pipe);
}

const run = (script: string): Promise<number | null> =>
  new Promise((resolve, reject) => {
    const writer = spawn('sh', ['-c', script], { env: { PATH: process.env['PATH'], PIPE: path }, stdio: 'inherit' });
    writer.once('error', reject);
    writer.once('exit', resolve);
  });

/** A whole turn of the event loop, wherever in one we are: what was written before it has been heard of after it. */
const turn = async (): Promise<void> => {
  for (let phase = 0; phase < 2; phase += 1) await new Promise((resolve) => setImmediate(resolve));
};

const finish = async (): Promise<{ text: string; truncated: boolean }> => {
  await turn();
  const { bytes, truncated } = capture.finish();
  return { text: bytes.toString('utf8'), truncated };
};

describe('what a job writes', () => {
  it('is all there at its end, even what the loop has not delivered yet', async () => {
    capture.begin(1_000);
    write('one ', 'two ', 'three');
    expect(await finish()).toEqual({ text: 'one two three', truncated: false });
  });

  it('is all there where it came in over time', async () => {
    capture.begin(1_000);
    expect(await run('for n in 1 2 3 4 5; do echo line $n > "$PIPE"; done')).toBe(0);
    expect(await finish()).toEqual({ text: 'line 1\nline 2\nline 3\nline 4\nline 5\n', truncated: false });
  });

  it('keeps its order, also where the loop reads some and the end reads the rest', async () => {
    capture.begin(1_000_000);
    let expected = '';
    for (let round = 0; round < 50; round += 1) {
      write(`a${round};`);
      if (round % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
      write(`b${round};`);
      expected += `a${round};b${round};`;
    }
    expect(await finish()).toEqual({ text: expected, truncated: false });
  });

  it('of several processes at once is mixed by whole writes', async () => {
    capture.begin(1_000_000);
    const writers = ['a', 'b', 'c', 'd'].map((name) =>
      run(`exec > "$PIPE"; n=0; while [ $n -lt 100 ]; do echo ${name}${name}${name}; n=$((n+1)); done`),
    );
    expect(await Promise.all(writers)).toEqual([0, 0, 0, 0]);
    const lines = (await finish()).text.split('\n').filter(Boolean);
    expect(lines).toHaveLength(400);
    for (const name of ['a', 'b', 'c', 'd']) expect(lines.filter((line) => line === name.repeat(3))).toHaveLength(100);
  });

  it('nothing is nothing', async () => {
    capture.begin(1_000);
    expect(await finish()).toEqual({ text: '', truncated: false });
  });
});

describe('the bound', () => {
  it.each([
    ['abc', 4, 'abc', false],
    ['abcd', 4, 'abcd', false],
    ['abcde', 4, 'abcd', true],
    ['abc', 0, '', true],
    ['', 0, '', false],
  ])('%j with room for %i bytes is %j, truncated: %p', async (text, limit, kept, truncated) => {
    capture.begin(limit);
    if (text !== '') write(text);
    expect(await finish()).toEqual({ text: kept, truncated });
  });

  it('counts over all writes', async () => {
    capture.begin(5);
    write('abc', 'def', 'ghi');
    expect(await finish()).toEqual({ text: 'abcde', truncated: true });
  });

  it('a writer of 10 MB never blocks and is cut', async () => {
    capture.begin(1_000);
    expect(await run('head -c 10000000 /dev/zero | tr "\\0" x > "$PIPE"')).toBe(0);
    expect(await finish()).toEqual({ text: 'x'.repeat(1_000), truncated: true });
  });

  it('10 MB that fit are kept', async () => {
    capture.begin(10_000_000);
    expect(await run('head -c 10000000 /dev/zero | tr "\\0" y > "$PIPE"')).toBe(0);
    await turn();
    const { bytes, truncated } = capture.finish();
    expect([bytes.length, bytes.every((byte) => byte === 0x79), truncated]).toEqual([10_000_000, true, false]);
  });

  it.each(['é', '世', '😀'])('a character it cuts in two is left out: %s', async (character) => {
    const size = Buffer.byteLength(character);
    for (let cut = 1; cut < size; cut += 1) {
      capture.begin(1 + cut);
      write(`a${character}`);
      expect([cut, await finish()]).toEqual([cut, { text: 'a', truncated: true }]);
    }
    capture.begin(1 + size);
    write(`a${character}b`);
    expect(await finish()).toEqual({ text: `a${character}`, truncated: true });
  });
});

describe('bytes that are no text', () => {
  it.each<[string, number[], string]>([
    ['a stray byte', [0x61, 0xff, 0x62], 'a\ufffdb'],
    ['an overlong slash', [0xc0, 0xaf], '\ufffd\ufffd'],
    ['an encoded surrogate', [0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
    ['a character the program itself broke off', [0x61, 0xe4, 0xb8], 'a\ufffd'],
    ['a byte order mark', [0xef, 0xbb, 0xbf, 0x61], '\ufeffa'],
    ['NUL', [0x61, 0x00, 0x62], 'a\u0000b'],
  ])('become valid text: %s', async (_, bytes, text) => {
    capture.begin(100);
    write(bytes);
    expect(await finish()).toEqual({ text, truncated: false });
  });

  it('a character in two writes is whole', async () => {
    capture.begin(100);
    write([0xf0, 0x9f], [0x98, 0x80]);
    expect((await finish()).text).toBe('😀');
  });
});

describe('what is read while the job runs', () => {
  it('is what has come so far, from any place; the end is the same as without', async () => {
    capture.begin(100);
    write('one ', [0xe2, 0x82]);
    await turn();
    expect(capture.read(0, 100)).toEqual({ bytes: Buffer.from('one '), truncated: false });
    write([0xac], ' two');
    await turn();
    expect(capture.read(4, 100).bytes.toString()).toBe('€ two');
    expect(capture.read(0, 5).bytes.toString()).toBe('one ');
    expect(await finish()).toEqual({ text: 'one € two', truncated: false });
  });

  it('says with its last bytes, and only with those, that more was written than is kept', async () => {
    capture.begin(6);
    write('abcdefgh');
    await turn();
    expect(capture.read(0, 3)).toEqual({ bytes: Buffer.from('abc'), truncated: false });
    expect(capture.read(3, 100)).toEqual({ bytes: Buffer.from('def'), truncated: true });
    expect(await finish()).toEqual({ text: 'abcdef', truncated: true });
  });

  it('is announced, until the end, and is nothing of a job that has ended', async () => {
    let news = 0;
    capture.begin(100);
    capture.onNews = () => (news += 1);
    write('secret');
    await turn();
    expect(news).toBeGreaterThan(0);
    expect(await finish()).toEqual({ text: 'secret', truncated: false });
    const before = news;
    expect(capture.read(0, 100)).toEqual({ bytes: Buffer.alloc(0), truncated: false });
    write('left over');
    await turn();
    expect([news, capture.read(0, 100).bytes.length]).toEqual([before, 0]);
  });
});

describe('what is written without an end', () => {
  const writers: ChildProcess[] = [];
  afterEach(() => writers.splice(0).forEach((writer) => writer.kill('SIGKILL')));
  /** Two that write as fast as they can, so that the pipe is hardly ever empty. */
  const flood = (): number =>
    writers.push(...[0, 1].map(() => spawn('sh', ['-c', 'exec yes > "$PIPE"'], { env: { PATH: process.env['PATH'], PIPE: path } })));
  const isFlooded = (): Promise<boolean> => waitFor('the flood', () => capture.read(0, 1).bytes.length > 0);
  const PIPE_BYTES = 65_536;

  it('does not hold up the end: it takes no more than the pipe held', async () => {
    const endless = 1 << 30;
    capture.begin(endless);
    flood();
    await isFlooded();
    for (let round = 0; round < 20; round += 1) {
      const before = capture.read(0, endless).bytes.length;
      const { bytes } = capture.finish();
      expect(bytes.length - before).toBeLessThanOrEqual(PIPE_BYTES);
      capture.begin(endless);
      await isFlooded();
    }
    expect(writers.map(({ exitCode, signalCode }) => exitCode ?? signalCode)).toEqual([null, null]);
  });
});

describe('the next job', () => {
  it('sees nothing that was written between two jobs', async () => {
    capture.begin(100);
    write('first');
    expect((await finish()).text).toBe('first');
    write('left over');
    await turn();
    capture.begin(100);
    write('second');
    expect(await finish()).toEqual({ text: 'second', truncated: false });
  });

  it('has its own bound and its own mark', async () => {
    capture.begin(2);
    write('first');
    expect(await finish()).toEqual({ text: 'fi', truncated: true });
    capture.begin(100);
    write('second');
    expect(await finish()).toEqual({ text: 'second', truncated: false });
  });

  it('can write after a hundred others have closed the pipe', async () => {
    for (let job = 0; job < 100; job += 1) {
      capture.begin(100);
      write(`job ${job}`);
      expect((await finish()).text).toBe(`job ${job}`);
    }
  });
});

it('a closed capture gives its descriptor back', async () => {
  const isOpen = (): boolean => {
    try {
      closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENXIO' });
      return false;
    }
  };
  expect(isOpen()).toBe(true);
  capture.close();
  await waitFor('the reading end to be closed', () => !isOpen());
});
