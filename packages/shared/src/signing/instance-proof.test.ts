import { describe, expect, it } from '@jest/globals';
import { isInstanceProof, proveInstance } from './instance-proof';
import { KeyRing } from './key-ring';

const ours = new KeyRing('a'.repeat(64));
const nonce = 'n'.repeat(32);

describe('the proof of an instance', () => {
  it('convinces who has the same signing key, also as a former one', () => {
    const proof = proveInstance(ours, nonce, 8311);
    expect(isInstanceProof(new KeyRing('a'.repeat(64)), nonce, 8311, proof)).toBe(true);
    expect(isInstanceProof(new KeyRing('b'.repeat(64), ['a'.repeat(64)]), nonce, 8311, proof)).toBe(true);
  });

  it.each([
    ['another signing key', proveInstance(new KeyRing('b'.repeat(64)), nonce, 8311)],
    ['another nonce, as of an answer that was recorded', proveInstance(ours, 'm'.repeat(32), 8311)],
    ['another port, as of a question that was passed on', proveInstance(ours, nonce, 8312)],
    ['nothing', ''],
    ['half of it', proveInstance(ours, nonce, 8311).slice(0, 30)],
  ])('is not believed with %s', (_, proof) => expect(isInstanceProof(ours, nonce, 8311, proof)).toBe(false));
});
