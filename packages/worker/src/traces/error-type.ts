import { MAX_ERROR_TYPE, toAttributeText } from '@python3-cluster/shared';
import type { Verdict } from '../jobs/judge-run';

/** `error.type`: the class of the exception, a code of ours, or the status. Never a message. */
export const errorTypeOf = ({ status, error }: Pick<Verdict, 'status' | 'error'>): string =>
  error === null ? status : toAttributeText(error.type, MAX_ERROR_TYPE);
