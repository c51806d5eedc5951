import type { JobMode, Role } from '@python3-cluster/shared';
import { decideMode } from '../auth/decide-mode';
import type { JobRequest } from '../requests/job-request';
import type { RequestTrace } from '../traces/request-trace';
import type { JobOrder, Waiting } from './build-job';

/** Whose job it is, and what they may do: a caller, or whoever a schedule or a batch acts for. */
export interface Submitter {
  readonly keyId: string;
  readonly owner: string;
  readonly role: Role;
}

/** A job that somebody wants run, by whatever way it was asked for. */
export interface Submission {
  readonly submitter: Submitter;
  readonly request: JobRequest;
  readonly waiting: Waiting;
  /** Mode that is asked for; absent: what the request says. */
  readonly mode?: JobMode | undefined;
  /** Whether ADMIN mode is asked for beside the request, where the request leaves it open. */
  readonly asksForAdmin?: boolean;
  /** Of the request it came with. */
  readonly trace?: RequestTrace | undefined;
}

/** The order to dispatch. @throws ClusterError AUTH_ROLE_INSUFFICIENT */
export function orderOf({ submitter, request, waiting, mode = request.mode, asksForAdmin = false, trace }: Submission): JobOrder {
  return {
    request,
    mode: decideMode({ requested: mode, headersAskForAdmin: asksForAdmin, role: submitter.role }),
    owner: submitter.owner,
    traceparent: trace?.jobTraceparent ?? null,
    trace,
    waiting,
  };
}
