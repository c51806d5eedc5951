import type { Response } from 'express';
import type { Caller } from '../auth/caller';

/** What becomes known of a request while it is handled; kept in `response.locals`. */
export interface RequestState {
  requestId: string;
  caller?: Caller;
  jobId?: string;
}

export const readRequestState = (response: Response): RequestState => response.locals as RequestState;
