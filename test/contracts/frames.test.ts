import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import {
  encodeFrame,
  FrameReader,
  parseChildMessage,
  parseTemplateMessage,
  type Frame,
  type FrameHeader,
  type TemplateMessage,
  type WorkerControlMessage,
  type WorkerJobMessage,
} from '@python3-cluster/shared';

interface Fixture {
  readonly name: string;
  readonly accepted: boolean;
  readonly direction: 'worker-template' | 'template-worker' | 'worker-child' | 'child-worker';
  readonly header?: Record<string, unknown>;
  readonly body?: string;
  /** The whole stream, where it is no frame. */
  readonly hex?: string;
  readonly why: string;
}

// Fails here, and not by finding no cases, where the shared file is missing.
const fixtures = JSON.parse(readFileSync(join(__dirname, 'frames.json'), 'utf8')) as readonly Fixture[];
/** A template says nothing that has a body. */
const MAX_BODY_BYTES = { 'template-worker': 0, 'child-worker': 67_108_864 } as const;

/** What Node reads; what it only writes is checked by the Python half (python/tests/test_frames.py). */
const readers = {
  'template-worker': (frame: Frame) => parseTemplateMessage(frame.header),
  'child-worker': (frame: Frame) => parseChildMessage(frame),
} as const;

const bytesOf = (fixture: Fixture): Buffer =>
  fixture.hex === undefined ? encodeFrame(fixture.header ?? {}, Buffer.from(fixture.body ?? '')) : Buffer.from(fixture.hex, 'hex');

function readStream(direction: keyof typeof readers, bytes: Buffer, step: number): Frame[] {
  const reader = new FrameReader(MAX_BODY_BYTES[direction]);
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    for (const frame of reader.push(bytes.subarray(at, at + step))) {
      readers[direction](frame);
      frames.push(frame);
    }
  }
  if (reader.isMidFrame) throw Object.assign(new Error('end of file inside a frame'), { code: 'FRAME_INVALID' });
  return frames;
}

describe('the shared frames', () => {
  it('are there: accepted and rejected ones, in all four directions', () => {
    const count = (select: (fixture: Fixture) => boolean): number => fixtures.filter(select).length;
    expect(fixtures.length).toBeGreaterThanOrEqual(60);
    expect(new Set(fixtures.map(({ name }) => name)).size).toBe(fixtures.length);
    for (const direction of ['worker-template', 'template-worker', 'worker-child', 'child-worker'])
      for (const accepted of [true, false])
        expect([direction, accepted, count((one) => one.direction === direction && one.accepted === accepted)]).not.toContain(0);
  });

  const read = fixtures.filter((one): one is Fixture & { direction: keyof typeof readers } => one.direction in readers);
  it.each(read.map((one) => [one.accepted ? 'accepted' : 'refused', one.direction, one.name, one.why, one] as const))(
    'is %s from %s: %s (%s)',
    (_verdict, _direction, _name, _why, fixture) => {
      for (const step of [1, 7, Infinity]) {
        const run = (): Frame[] => readStream(fixture.direction, bytesOf(fixture), step);
        if (!fixture.accepted) {
          expect(run).toThrow(expect.objectContaining({ code: 'FRAME_INVALID' }));
          continue;
        }
        const frames = run();
        expect(frames).toHaveLength(1);
        if (fixture.header) expect(frames[0]).toMatchObject({ header: fixture.header, body: Buffer.from(fixture.body ?? '') });
      }
    },
  );

  const framingOnly = new Set([
    'header-array',
    'header-null',
    'header-empty',
    'header-not-json',
    'header-two-values',
    'header-over-its-bound',
  ]);
  it.each(fixtures.filter(({ name }) => framingOnly.has(name)))('framing itself refuses $name ($why)', (fixture) => {
    expect(() => [...new FrameReader(1_000_000).push(bytesOf(fixture))]).toThrow(expect.objectContaining({ code: 'FRAME_INVALID' }));
  });

  it('name every type that the worker node or a template sends', () => {
    const said: Record<WorkerControlMessage['type'], string> &
      Record<WorkerJobMessage['type'], string> &
      Record<TemplateMessage['type'], string> = {
      configure: 'worker-template',
      fork: 'worker-template',
      kill: 'worker-template',
      ping: 'worker-template',
      stop: 'worker-template',
      run: 'worker-child',
      ready: 'template-worker',
      refused: 'template-worker',
      forked: 'template-worker',
      'fork-failed': 'template-worker',
      exited: 'template-worker',
      emptied: 'template-worker',
      pong: 'template-worker',
    };
    for (const [type, direction] of Object.entries(said)) {
      const found = fixtures.some(
        (one) => one.accepted && one.direction === direction && (one.header as FrameHeader | undefined)?.type === type,
      );
      expect([type, found]).toEqual([type, true]);
    }
  });
});
