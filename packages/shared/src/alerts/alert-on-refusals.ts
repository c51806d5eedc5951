import type { Logger } from '../logging/create-logger';
import type { AlertEvents } from './alert-events';

/** Codes that speak of a job in the queue; all others of a record. */
const JOB_CODES = ['JOB_SIGNATURE_INVALID', 'JOB_LANE_MISMATCH', 'JOB_REPLAYED'];

interface SecurityFields {
  readonly event?: unknown;
  readonly errorCode?: unknown;
  readonly lane?: unknown;
}

/**
 * A logger by which every refusal becomes an alert: whatever is not believed is logged as an error with
 * `event: 'security'`, in a dozen places, and none of them can forget to raise it.
 */
export function alertOnRefusals(logger: Logger, events: Pick<AlertEvents, 'report'>): Logger {
  const watched = logger.child({});
  const logError = watched.error;
  watched.error = (...args: unknown[]): void => {
    Reflect.apply(logError, watched, args);
    const fields: SecurityFields = typeof args[0] === 'object' && args[0] !== null ? args[0] : {};
    const { event, errorCode, lane } = fields;
    if (event !== 'security') return;
    const code = typeof errorCode === 'string' ? errorCode : 'RECORD_UNVERIFIED';
    if (JOB_CODES.includes(code)) events.report('JOB_SIGNATURE_REFUSED', typeof lane === 'string' ? lane : 'unknown', code);
    else events.report('RECORD_REFUSED', code, typeof args[1] === 'string' ? args[1] : code);
  };
  return watched;
}
