import type { Response } from 'express';
import type { Caller } from '../auth/caller';
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
