import type { Response } from 'express';
import type { Caller } from './caller';
import type { BodyShare } from './body-budget';
import type { RequestTrace } from '../traces/request-trace';

/** What becomes known of a request while it is handled; kept in `response.locals`. */
export interface RequestState {
  requestId: string;
  caller?: Caller;
  jobId?: string;
  bodyShare?: BodyShare;
  trace?: RequestTrace;
  /** Of the error it was answered with. */
  errorCode?: string;
}

export const readRequestState = (response: Response): RequestState => response.locals as RequestState;

/** The caller of a request that has passed the access step of its operation. */
export function callerOf(response: Response): Caller {
  const { caller } = readRequestState(response);
  if (caller === undefined) throw new Error('the route does not authenticate');
  return caller;
}
