import { errorTable, type ErrorCode, type ErrorDefinition } from './error-table';

export const errorDefinition = (code: ErrorCode): ErrorDefinition => errorTable[code];

/**
 * A failure of the request or of the cluster, never of the user's code (that is an outcome, a value).
 * Match it by `code`; class identity does not survive processes, queues or test realms.
 */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
  readonly code: ErrorCode;
  /** Seconds after which trying again makes sense; sent as `Retry-After`. */
  readonly retryAfterSeconds: number | undefined;
  /** Extra members of the error body, e.g. the job id of an uncertain enqueue. */
  readonly details: Readonly<Record<string, string>>;

  constructor(
    code: ErrorCode,
    message: string = errorDefinition(code).message,
    options: { readonly cause?: unknown; readonly retryAfterSeconds?: number; readonly details?: Readonly<Record<string, string>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds ?? errorDefinition(code).retryAfterSeconds;
    this.details = options.details ?? {};
  }
}

export const hasErrorCode = (error: unknown, code: ErrorCode): boolean =>
  typeof error === 'object' && error !== null && 'code' in error && error.code === code;

export const isClusterError = (error: unknown): error is ClusterError =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' && Object.hasOwn(errorTable, error.code);
