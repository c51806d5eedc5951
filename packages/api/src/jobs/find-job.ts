import { ClusterError, isRoleAtLeast, laneOfJobId } from '@python3-cluster/shared';
import type { Caller } from '../requests/caller';
import { parameterOf, type Call } from '../operations/operation';
import type { JobRecord, OutcomeStore } from '../dispatch/outcome-store';
import { readRequestState } from '../requests/request-state';

/** The job of the path. @throws ClusterError JOB_NOT_FOUND also where it is somebody else's */
export async function findJob(store: OutcomeStore, call: Call): Promise<JobRecord> {
  const id = parameterOf(call, 'id');
  const record = laneOfJobId(id) === undefined ? undefined : await store.readRecord(id);
  if (record === undefined || !maySee(call.caller, record)) throw new ClusterError('JOB_NOT_FOUND');
  readRequestState(call.response).jobId = id;
  return record;
}

/** Others are not told that a job is somebody else's: to them it does not exist. */
const maySee = (caller: Caller, { job }: JobRecord): boolean => job.owner === caller.owner || isRoleAtLeast(caller.role, 'admin');
