import { describe, expect, it } from '@jest/globals';
import { createJobId, KeyRing, sealJob, sealJobHead, type Job } from '@python3-cluster/shared';
import { verifyJob } from './verify-job';

const OLD = 'former-signing-key-0123456789abcdef-0123';
const ring = new KeyRing('signing-key-of-the-tests-0123456789abcdef', [OLD]);
const id = createJobId('default');
const otherId = createJobId('default');
const payload = Buffer.from('{"code":"result = 1","variables":{}}');
const job: Job = {
  version: 1, id, lane: 'default', kind: 'exec', mode: 'restricted', isolation: 'fresh', delivery: 'at-least-once', owner: 'o',
  limits: { timeoutMs: 1_000, memoryMb: 64, cpuSeconds: 5 }, issuedAt: 1_000, validUntil: 2_000, startBefore: null, resultTtlMs: 3, replyTo: null, traceparent: null,
}; // prettier-ignore
const sealed = sealJob(ring, job, payload);
const flip = (bytes: Buffer, at: number): Buffer => {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
  return changed;
};
const edited = (from: string, to: string): Buffer => {
  const text = sealed.toString();
  expect(text).toContain(from);
  return Buffer.from(text.replace(from, to));
};

describe('a queued job', () => {
  it('that is signed for this lane and id is taken, with its payload as it was', async () => {
    expect(await verifyJob(ring, 'default', id, sealed, 1_500)).toEqual({ ok: true, job, payload });
  });

  it('signed with a former key is taken during a rotation', async () => {
    expect((await verifyJob(ring, 'default', id, sealJob(new KeyRing(OLD), job, payload), 1_500)).ok).toBe(true);
  });

  it('counts up to the last millisecond of its validity', async () => {
    expect((await verifyJob(ring, 'default', id, sealed, 2_000)).ok).toBe(true);
    expect(await verifyJob(ring, 'default', id, sealed, 2_001)).toMatchObject({ ok: false, code: 'JOB_EXPIRED' });
  });

  const refused: Record<string, [code: string, lane: string, jobId: string, sealed: () => Buffer]> = {
    unsigned: ['JOB_SIGNATURE_INVALID', 'default', id, () => Buffer.from(`${JSON.stringify(job)}\n{}`)],
    empty: ['JOB_SIGNATURE_INVALID', 'default', id, () => Buffer.alloc(0)],
    garbage: ['JOB_SIGNATURE_INVALID', 'default', id, () => Buffer.from([0, 255, 10, 10])],
    'signed by a stranger': ['JOB_SIGNATURE_INVALID', 'default', id, () => sealJob(new KeyRing('x'.repeat(40)), job, payload)],
    'of changed code': ['JOB_SIGNATURE_INVALID', 'default', id, () => edited('result = 1', 'result = 2')],
    'raised to admin': ['JOB_SIGNATURE_INVALID', 'default', id, () => edited('"mode":"restricted"', '"mode":"admin"')],
    'with raised limits': ['JOB_SIGNATURE_INVALID', 'default', id, () => edited('"memoryMb":64', '"memoryMb":9999')],
    'with a longer validity': ['JOB_SIGNATURE_INVALID', 'default', id, () => edited('"validUntil":2000', '"validUntil":9000')],
    'with its last bit changed': ['JOB_SIGNATURE_INVALID', 'default', id, () => flip(sealed, sealed.length - 1)],
    'with a bit of its MAC changed': ['JOB_SIGNATURE_INVALID', 'default', id, () => flip(sealed, 20)],
    'cut short': ['JOB_SIGNATURE_INVALID', 'default', id, () => sealed.subarray(0, -1)],
    'under another id': ['JOB_SIGNATURE_INVALID', 'default', otherId, () => sealed],
    'under no id': ['JOB_SIGNATURE_INVALID', 'default', '', () => sealed],
    'that is only a record’s head': ['JOB_SIGNATURE_INVALID', 'default', id, () => sealJobHead(ring, job)],
    'in another lane': ['JOB_LANE_MISMATCH', 'vision', id, () => sealed],
    'in another lane and expired': ['JOB_LANE_MISMATCH', 'vision', id, () => sealJob(ring, { ...job, validUntil: 1 }, payload)],
    'in another lane under another id': ['JOB_SIGNATURE_INVALID', 'vision', otherId, () => sealed],
    'claiming a lane it was not signed for': ['JOB_SIGNATURE_INVALID', 'vision', id, () => edited('"lane":"default"', '"lane":"vision"')],
    'of a version this node does not know': [
      'JOB_SIGNATURE_INVALID',
      'default',
      id,
      () => sealJob(ring, { ...job, version: 2 as 1 }, payload),
    ],
    'whose time is over': ['JOB_EXPIRED', 'default', id, () => sealJob(ring, { ...job, validUntil: 1_499 }, payload)],
  };
  it.each(Object.entries(refused))('%s is refused', async (_, [code, lane, jobId, make]) => {
    const verification = await verifyJob(ring, lane, jobId, make(), 1_500);
    expect(verification).toMatchObject({ ok: false, code });
    expect((verification as { message: string }).message).toMatch(/^the job/);
  });

  it('in a foreign lane is told where it belongs', async () => {
    expect(await verifyJob(ring, 'vision', id, sealed, 1_500)).toMatchObject({
      message: "the job was signed for lane 'default' and stood in 'vision'",
    });
  });
});
