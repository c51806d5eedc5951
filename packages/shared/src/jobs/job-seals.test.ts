import { describe, expect, it } from '@jest/globals';
import { KeyRing } from '../signing/key-ring';
import { openSeal, seal } from '../signing/seal';
import { formatJob, parseJob } from './job-codec';
import { createJobId } from './job-id';
import {
  findSigningLane,
  openAttemptEnd,
  openJob,
  openJobHead,
  openOutcome,
  sealAttemptEnd,
  sealJob,
  sealJobHead,
  sealOutcome,
} from './job-seals';
import { formatOutcome, parseOutcome, readClaimedWorker } from './outcome-codec';
import type { Job } from './job';
import type { Outcome, OutcomeParts } from './outcome';

const ring = new KeyRing('signing-key-of-the-tests-0123456789abcdef');
const stranger = new KeyRing('key-of-somebody-else-0123456789abcdef-012');
const id = createJobId('default');
const job: Job = {
  version: 1, id, lane: 'default', kind: 'exec', mode: 'restricted', isolation: 'fresh', delivery: 'at-least-once', owner: 'développeur\n"x"',
  limits: { timeoutMs: 1_000, memoryMb: 64, cpuSeconds: 5 }, issuedAt: 1, validUntil: 2, startBefore: null, resultTtlMs: 3, replyTo: null, traceparent: null,
}; // prettier-ignore
const outcome: Outcome = {
  version: 1, jobId: id, status: 'succeeded', hasValue: true, error: null, truncated: false, limitsHit: [],
  timings: { queuedMs: 1, runMs: 1, totalMs: 2, cpuMs: 1, maxMemoryBytes: 1 }, worker: 'node-1', level: 'D', attempts: [], finishedAt: 5,
}; // prettier-ignore
const parts: OutcomeParts = {
  outcome,
  value: Buffer.from('9007199254740993'),
  stdout: Buffer.from('a\n\né😀'),
  stderr: Buffer.from('\u0000\n'),
};

const PAYLOADS = ['', '\n', '{"code":"x = \'é😀\'"}', '\n{"version":1}\n', '\u0000\u0001', '{"v":9007199254740993,"w":1e400}'];

describe('a sealed job', () => {
  it.each(PAYLOADS)('is opened with its payload as it was: %j', (payload) => {
    const opened = openJob(ring, 'default', id, sealJob(ring, job, Buffer.from(payload)));
    expect(opened?.job).toEqual(job);
    expect(opened?.payload.toString()).toBe(payload);
  });

  it('moved to another id or lane, or signed by a stranger, is refused', () => {
    const sealed = sealJob(ring, job, Buffer.from('{}'));
    expect(openJob(ring, 'default', createJobId('default'), sealed)).toBeUndefined();
    expect(openJob(ring, 'vision', id, sealed)).toBeUndefined();
    expect(openJob(ring, 'vision', id.replace('default', 'vision'), sealed)).toBeUndefined();
    expect(openJob(stranger, 'default', id, sealed)).toBeUndefined();
    expect(openJob(ring, 'default\n', id, sealed)).toBeUndefined();
  });

  it('is no job head, and a head is no job', () => {
    expect(openJobHead(ring, id, sealJob(ring, job, Buffer.alloc(0)))).toBeUndefined();
    expect(openJob(ring, 'default', id, sealJobHead(ring, job))).toBeUndefined();
  });

  it('tells which lane it was signed for, if that is true', () => {
    const sealed = sealJob(ring, job, Buffer.from('{}'));
    expect(findSigningLane(ring, id, sealed)).toBe('default');
    expect(findSigningLane(ring, createJobId('default'), sealed)).toBeUndefined();
    expect(findSigningLane(stranger, id, sealed)).toBeUndefined();
    const claimed = Buffer.from(sealed.toString().replace('"lane":"default"', '"lane":"vision"'));
    expect(claimed.equals(sealed)).toBe(false);
    expect(findSigningLane(ring, id, claimed)).toBeUndefined();
  });

  it.each(['', 'x', '{}', 'null', '[]', '{"lane":{}}', '{"version":1}', '"lane"', '{"lane":"a\\nb"}'])(
    'whose head is %j has no signing lane, and does no harm',
    (head) => {
      const prefix = `1.${ring.currentKeyId}.${'A'.repeat(43)}\n`;
      for (const text of [prefix + head, `${prefix}${head}\n`]) {
        expect(findSigningLane(ring, id, Buffer.from(text))).toBeUndefined();
        expect(openJob(ring, 'default', id, Buffer.from(text))).toBeUndefined();
      }
    },
  );
});

describe('a sealed job head', () => {
  it('is opened under its own id only', () => {
    const sealed = sealJobHead(ring, job);
    expect(openJobHead(ring, id, sealed)).toEqual(job);
    expect(openJobHead(ring, createJobId('default'), sealed)).toBeUndefined();
    expect(openJobHead(stranger, id, sealed)).toBeUndefined();
  });
});

describe('the content of a job', () => {
  it.each<[string, Record<string, unknown>]>([
    ['another version', { version: 2 }],
    ['a version in text', { version: '1' }],
    ['an unknown kind', { kind: 'shell' }],
    ['a special name as kind', { kind: '__proto__' }],
    ['an unknown mode', { mode: 'root' }],
    ['an unknown delivery', { delivery: 'exactly-once' }],
    ['an isolation that is not built', { isolation: 'shared' }],
  ])('with %s is not understood, though it is signed', (_, change) => {
    const changed = { ...job, ...change };
    expect(parseJob(formatJob(changed, Buffer.alloc(0)))).toBeUndefined();
    expect(openJob(ring, 'default', id, sealJob(ring, changed, Buffer.alloc(0)))).toBeUndefined();
  });

  it.each(['exec', 'eval', 'call', 'check'] as const)('of kind %s is understood', (kind) => {
    expect(parseJob(formatJob({ ...job, kind }, Buffer.alloc(0)))?.job.kind).toBe(kind);
  });

  it.each(['', '{}', 'null\n', '[]\n', '1\n', 'undefined\n', '{"version":1\n}', '\n'])('%j is none', (text) => {
    expect(parseJob(Buffer.from(text))).toBeUndefined();
  });
});

describe('a sealed outcome', () => {
  it('is opened with its parts as they were', () => {
    expect(openOutcome(ring, id, sealOutcome(ring, parts))).toEqual(parts);
  });

  it.each<[string, Partial<OutcomeParts>]>([
    ['nothing at all', { value: Buffer.alloc(0), stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }],
    ['line feeds', { value: Buffer.from('\n'), stdout: Buffer.from('\n\n'), stderr: Buffer.from('\n') }],
    ['all code points that are awkward', { stdout: Buffer.from('\u0000\u001b[31m\u2028\ufeff\uffff😀') }],
    ['bytes that are no text', { stderr: Buffer.from([0xff, 0xfe, 0x80, 0x0a, 0xc3]) }],
    ['an own head', { stdout: formatOutcome(parts) }],
  ])('keeps %s', (_, change) => {
    const given = { ...parts, ...change };
    expect(openOutcome(ring, id, sealOutcome(ring, given))).toEqual(given);
  });

  it('of another job, or of a stranger, is refused', () => {
    const sealed = sealOutcome(ring, parts);
    expect(openOutcome(ring, createJobId('default'), sealed)).toBeUndefined();
    expect(openOutcome(stranger, id, sealed)).toBeUndefined();
    expect(openOutcome(ring, id, sealJob(ring, job, Buffer.alloc(0)))).toBeUndefined();
  });

  it('is not what the end of one of its attempts can pass for, nor the other way round, nor one attempt for another', () => {
    const attempts = [{ number: 1, worker: 'node-1', startedAt: 1 }];
    const withAttempts = { ...parts, outcome: { ...outcome, attempts } };
    const end = sealAttemptEnd(ring, withAttempts);
    expect(openAttemptEnd(ring, id, 1, end)).toEqual(withAttempts);
    expect(openOutcome(ring, id, end)).toBeUndefined();
    expect(openAttemptEnd(ring, id, 2, end)).toBeUndefined();
    expect(openAttemptEnd(ring, createJobId('default'), 1, end)).toBeUndefined();
    expect(openAttemptEnd(stranger, id, 1, end)).toBeUndefined();
    expect(openAttemptEnd(ring, id, 1, sealOutcome(ring, withAttempts))).toBeUndefined();
  });

  it('of one worker node in another’s name is refused', () => {
    const content = formatOutcome({ ...parts, outcome: { ...outcome, worker: 'node-2' } });
    const byNode1 = seal(ring, { purpose: 'result', scope: 'node-1', subject: id }, content);
    expect(openSeal(ring, { purpose: 'result', scope: 'node-1', subject: id }, byNode1)).toBeDefined();
    expect(openOutcome(ring, id, byNode1)).toBeUndefined();
  });

  it('of a worker node with a line feed in its name can neither be made nor believed', () => {
    const forged = { ...parts, outcome: { ...outcome, worker: `node-1\n${id}` } };
    expect(() => sealOutcome(ring, forged)).toThrow();
    const prefix = `1.${ring.currentKeyId}.${'A'.repeat(43)}\n`;
    expect(openOutcome(ring, id, Buffer.concat([Buffer.from(prefix), formatOutcome(forged)]))).toBeUndefined();
  });

  it.each(['', 'x', '{}', 'null', '[]', '1', '"x"', '{"outcome":null}', '{"outcome":{}}', '{"outcome":{"worker":1},"bytes":[0,0,0]}', '{"bytes":[0,0,0]}'])(
    'whose head is %j is refused before anything is verified, and does no harm',
    (head) => {
      const text = `1.${ring.currentKeyId}.${'A'.repeat(43)}\n${head}\n`;
      expect(openOutcome(ring, id, Buffer.from(text))).toBeUndefined();
      expect(readClaimedWorker(Buffer.from(`${head}\n`))).toBeUndefined();
    },
  ); // prettier-ignore
});

describe('lengths in an outcome that lie', () => {
  const content = (bytes: unknown): Buffer => Buffer.from(`${JSON.stringify({ outcome, bytes })}\nabcdef`);

  it('are the only thing wrong with the cases below', () => {
    expect(parseOutcome(content([1, 2, 3]))).toMatchObject({
      value: Buffer.from('a'),
      stdout: Buffer.from('bc'),
      stderr: Buffer.from('def'),
    });
  });

  it.each([
    [[1, 2, 4]], [[1, 2, 2]], [[6, 0, 1]], [[0, 0, 0]], [[-1, 4, 3]], [[10, -7, 3]], [[1, 2]], [[6]], [[1, 2, 3, 0]], [[6, null, null]],
    [['1', '2', '3']], [[1.5, 1.5, 3]], [[1e308, 1e308, 1e308]], [null], [6], [{ 0: 1, 1: 2, 2: 3 }], [undefined],
  ])('are refused: %j', (bytes) => {
    expect(parseOutcome(content(bytes))).toBeUndefined();
  }); // prettier-ignore
});
