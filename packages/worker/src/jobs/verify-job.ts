import { findSigningLane, inTurns, openingJob, type ErrorCode, type Job, type KeyRing } from '@python3-cluster/shared';

export type Verification = { readonly ok: true; readonly job: Job; readonly payload: Buffer } | Refusal;

export interface Refusal {
  readonly ok: false;
  readonly code: RejectionCode;
  readonly message: string;
}

export type RejectionCode = Extract<
  ErrorCode,
  | 'JOB_SIGNATURE_INVALID'
  | 'JOB_LANE_MISMATCH'
  | 'JOB_EXPIRED'
  | 'PAYLOAD_MISSING'
  | 'POOL_BUSY'
  | 'ISOLATION_INSUFFICIENT'
  | 'PROGRAM_QUARANTINED'
  | 'RECORD_UNVERIFIED'
>;

/** Whether this job was signed by the API, for this lane, under this id, and still counts. The last check before it runs. */
export async function verifyJob(keyRing: KeyRing, lane: string, jobId: string, sealed: Buffer, now: number): Promise<Verification> {
  const opened = await inTurns(openingJob(keyRing, lane, jobId, sealed));
  if (opened === undefined) {
    const other = findSigningLane(keyRing, jobId, sealed);
    return other === undefined
      ? { ok: false, code: 'JOB_SIGNATURE_INVALID', message: 'the job’s signature is not valid' }
      : { ok: false, code: 'JOB_LANE_MISMATCH', message: `the job was signed for lane '${other}' and stood in '${lane}'` };
  }
  if (opened.job.id !== jobId || opened.job.lane !== lane) {
    return { ok: false, code: 'JOB_SIGNATURE_INVALID', message: 'the job’s content does not fit its id' };
  }
  if (now > opened.job.validUntil) return { ok: false, code: 'JOB_EXPIRED', message: 'the job’s signature has expired' };
  return { ok: true, ...opened };
}
