import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BASE_ENVIRONMENT, createEvidenceId, type QuarantineEvidence } from '@python3-cluster/shared';
import { Suspects } from './suspects';

const SCRIPT = 'script:report@3';
let suspects: Suspects;
beforeEach(() => {
  suspects = new Suspects({ breaches: 3, windowMs: 60_000, maxSuspects: 20, maxPerOwner: 10 });
});
afterEach(() => suspects.stop());

const evidence = (changes: Partial<QuarantineEvidence> = {}): QuarantineEvidence => ({
  version: 1, id: createEvidenceId(), owner: 'key:a', program: 'code:p', environment: BASE_ENVIRONMENT, worker: 'node-1', at: Date.now(),
  breach: { status: 'timed_out', jobId: 'j' }, count: 1, ...changes,
}); // prettier-ignore
const clean = (count: number, changes: Partial<QuarantineEvidence> = {}) => evidence({ breach: null, count, ...changes });

/** What the last of them leads to. */
async function hear(...all: QuarantineEvidence[]) {
  let last: Awaited<ReturnType<Suspects['hear']>> = [];
  for (const one of all) last = await suspects.hear(one);
  return last.map(({ key, breaches }) => ({ owner: key.owner, breaches }));
}

describe('a program of one caller', () => {
  it('is convicted by as many breaches as the setting says, wherever they were', async () => {
    expect(await hear(evidence(), evidence({ worker: 'node-2' }))).toEqual([]);
    expect(await hear(evidence({ worker: 'node-3' }))).toEqual([{ owner: 'key:a', breaches: 3 }]);
    expect(suspects.size).toBe(0);
  });

  it('is not, while at least half of its runs broke nothing', async () => {
    expect(await hear(evidence(), clean(3), evidence(), evidence())).toEqual([]);
    expect(await hear(evidence())).toEqual([{ owner: 'key:a', breaches: 4 }]);
  });

  it('is not by breaches of another caller’s same program', async () => {
    expect(await hear(evidence(), evidence(), evidence({ owner: 'key:b' }))).toEqual([]);
  });

  it('is not by the same evidence sent again, nor by old evidence', async () => {
    const one = evidence();
    expect(await hear(one, one, one, evidence({ at: Date.now() - 61_000 }))).toEqual([]);
  });
});

describe('a program that callers share', () => {
  const breach = (owner: string, worker: string) => evidence({ program: SCRIPT, owner, worker });

  it('is quarantined for everyone after breaches by two callers on two nodes', async () => {
    expect(await hear(breach('key:a', 'node-1'), breach('key:a', 'node-1'), breach('key:b', 'node-2'))).toEqual([
      { owner: null, breaches: 3 },
    ]);
  });

  it.each([
    ['two callers on one node', ['node-1', 'node-1', 'node-1'], ['key:a', 'key:b', 'key:c']],
    ['one caller on two nodes: it is quarantined for that one', ['node-1', 'node-2', 'node-1'], ['key:a', 'key:a', 'key:a']],
  ])('is not, after breaches by %s', async (_name, nodes, owners) => {
    const convicted = await hear(...nodes.map((node, index) => breach(owners[index] ?? '', node)));
    expect(convicted.filter(({ owner }) => owner === null)).toEqual([]);
    expect(convicted.length).toBe(owners[0] === owners[1] ? 1 : 0);
  }); // prettier-ignore
});

describe('a caller with any number of programs that crash', () => {
  it('is remembered for its latest ones, and others stay remembered', async () => {
    await hear(evidence({ owner: 'key:b' }), evidence({ owner: 'key:b' }));
    for (let index = 0; index < 200; index += 1) await hear(evidence({ program: `code:${index}` }));
    expect(suspects.size).toBe(11);
    expect([suspects.isSuspect('key:a', 'code:199'), suspects.isSuspect('key:a', 'code:0')]).toEqual([true, false]);
    expect(await hear(evidence({ owner: 'key:b' }))).toEqual([{ owner: 'key:b', breaches: 3 }]);
  });

  it('cannot fill the memory with owners either', async () => {
    for (let index = 0; index < 100; index += 1) await hear(evidence({ owner: `key:${index}` }));
    expect(suspects.size).toBe(20);
    expect([suspects.hasAny('key:0'), suspects.hasAny('key:99')]).toEqual([false, true]);
  });
});
