import { describe, expect, it } from '@jest/globals';
import { KeyRing } from '../signing/key-ring';
import { openSeal, seal } from '../signing/seal';
import { createJobId } from './job-id';
import { openOutcome, openOutput, sealOutcome, sealOutput } from './job-seals';
import { formatOutcome } from './outcome-codec';
import type { OutcomeParts } from './outcome';
import { formatOutput, parseOutput, type OutputMessage } from './output-codec';
import { formatPosition, parsePosition } from './output-position';

const ring = new KeyRing('signing-key-of-the-tests-0123456789abcdef');
const jobId = createJobId('default');
const message: OutputMessage = {
  jobId, worker: 'node-1', attempt: 2, ended: false,
  stdout: { offset: 7, bytes: Buffer.from('a\n\né😀'), truncated: true },
  stderr: { offset: 0, bytes: Buffer.alloc(0), truncated: false },
}; // prettier-ignore

describe('an output message', () => {
  it('is read as it was written, whatever its text', () => {
    expect(parseOutput(formatOutput(message))).toEqual(message);
    expect(openOutput(ring, jobId, sealOutput(ring, message))).toEqual(message);
  });

  it.each<[string, (content: string) => string]>([
    ['shorter', (content) => content.slice(0, -1)],
    ['longer', (content) => `${content}x`],
    ['of another version', (content) => content.replace('"version":1', '"version":2')],
    ['without its job', (content) => content.replace('"jobId"', '"jobID"')],
    ['with an attempt that is no count', (content) => content.replace('"attempt":2', '"attempt":-2')],
    ['with an offset that is none', (content) => content.replace('[7,', '["7",')],
    ['with a mark that is none', (content) => content.replace('true]', '1]')],
    ['without a head', () => 'text'],
    ['with a head that is no object', () => 'null\n'],
  ])('%s is none', (_, change) => {
    const content = formatOutput(message).toString('latin1');
    expect(change(content)).not.toBe(content);
    expect(parseOutput(Buffer.from(change(content), 'latin1'))).toBeUndefined();
  });

  it('of another job, changed, or signed by a stranger or for another node, is not believed', () => {
    const sealed = sealOutput(ring, message);
    expect(openOutput(ring, createJobId('default'), sealed)).toBeUndefined();
    expect(openOutput(new KeyRing('key-of-somebody-else-0123456789abcdef-012'), jobId, sealed)).toBeUndefined();
    const asNode2 = Buffer.from(sealed.toString().replace('"worker":"node-1"', '"worker":"node-2"'));
    const further = Buffer.from(sealed.toString().replace('[7,', '[8,'));
    for (const changed of [asNode2, further]) {
      expect(changed.equals(sealed)).toBe(false);
      expect(openOutput(ring, jobId, changed)).toBeUndefined();
    }
  });

  it('is never an outcome, and an outcome never one', () => {
    const parts: OutcomeParts = {
      outcome: { version: 1, jobId, worker: 'node-1' } as OutcomeParts['outcome'],
      value: Buffer.alloc(0), stdout: Buffer.alloc(0), stderr: Buffer.alloc(0),
    }; // prettier-ignore
    expect(openOutcome(ring, jobId, sealOutput(ring, message))).toBeUndefined();
    expect(openOutput(ring, jobId, sealOutcome(ring, parts))).toBeUndefined();
    // Not even where the content is the other's: the seal is for another thing.
    const context = { purpose: 'result', scope: 'node-1', subject: jobId } as const;
    const forged = seal(ring, context, formatOutput(message));
    expect(openSeal(ring, context, forged)).toBeDefined();
    expect(openOutput(ring, jobId, forged)).toBeUndefined();
    const asOutput = seal(ring, { ...context, subject: `${jobId} output` }, formatOutcome(parts));
    expect(openOutcome(ring, jobId, asOutput)).toBeUndefined();
  });
});

describe('a position', () => {
  it.each(['0.0.0', '1.1024.0', '3.9999999999.67108864'])('%s is read as it is written', (text) => {
    const position = parsePosition(text);
    expect(position && formatPosition(position)).toBe(text);
  });

  it.each(['', '1', '1.2', '1.2.3.4', '-1.0.0', '01.0.0', '1.00.0', '1. 2.3', '1.2.3\n', '1e3.0.0', '1.99999999999.0', '１.0.0'])(
    '%j is none',
    (text) => {
      expect(parsePosition(text)).toBeUndefined();
    },
  );
});
