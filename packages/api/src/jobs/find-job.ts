import { ClusterError, isRoleAtLeast, laneOfJobId } from '@python3-cluster/shared';
import type { JobRecord, OutcomeStore } from '../dispatch/outcome-store';
import { parameterOf, type Call } from '../operations/operation';
import type { Caller } from '../requests/caller';
import { readRequestState } from '../requests/request-state';

/** The job of the path. @throws ClusterError JOB_NOT_FOUND also where it is somebody else's; RESULT_EXPIRED, RESULT_REMOVED */
export async function findJob(store: OutcomeStore, call: Call): Promise<JobRecord> {
  const id = parameterOf(call, 'id');
  const isId = laneOfJobId(id) !== undefined;
  const record = isId ? await store.readRecord(id) : undefined;
  if (isId && record === undefined) await assertNotGone(store, id, call.caller);
  if (record === undefined || !maySee(call.caller, record.job)) throw new ClusterError('JOB_NOT_FOUND');
  readRequestState(call.response).jobId = id;
  return record;
}

/** Others are not told that a job is somebody else's: to them it does not exist. */
const maySee = (caller: Caller, { owner }: { readonly owner: string }): boolean =>
  owner === caller.owner || isRoleAtLeast(caller.role, 'admin');

/** @throws ClusterError RESULT_EXPIRED, RESULT_REMOVED */
async function assertNotGone(store: OutcomeStore, jobId: string, caller: Caller): Promise<void> {
  const gone = await store.whyGone(jobId);
  if (gone === undefined || !maySee(caller, gone)) return;
  throw new ClusterError(gone.why === 'removed' ? 'RESULT_REMOVED' : 'RESULT_EXPIRED', undefined, { details: { jobId } });
}
