import { describe, expect, it } from '@jest/globals';
import type { Job } from '@python3-cluster/shared';
import { warmKeyOf } from './warm-key';

const JOB = { kind: 'exec', mode: 'admin', owner: 'key:admin', limits: { timeoutMs: 20_000, memoryMb: 256, cpuSeconds: 20 } };

describe('warm keys', () => {
  const key = (payload: object, change: Partial<Job> = {}): Promise<string | undefined> =>
    warmKeyOf({ ...JOB, ...change } as unknown as Job, Buffer.from(JSON.stringify(payload)));
  it('name the program and not what it is called with', async () => {
    expect(await key({ code: 'x', variables: { a: 1 } })).toBe(await key({ code: 'x', variables: { a: 2 } }));
    expect(await key({ code: 'x' })).not.toBe(await key({ code: 'y' }));
    expect(await key({ expression: 'x' }, { kind: 'eval' })).not.toBe(await key({ code: 'x' }));
    const called = { kind: 'call' } as const;
    expect(await key({ module: 'a', function: 'bc' }, called)).not.toBe(await key({ module: 'ab', function: 'c' }, called));
    expect(await key({ module: 'a', function: 'b', args: [1] }, called)).toBe(await key({ module: 'a', function: 'b', args: [2] }, called));
    expect(await key({ code: 'x' }, { kind: 'check' })).toBeUndefined();
    expect(await key(['code'])).toBeUndefined();
  });
});
