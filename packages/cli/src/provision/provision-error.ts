export type ProvisionErrorCode = 'REDIS_NOT_FOUND' | 'PYTHON_NOT_FOUND';

/** Neither found nor installable. The message is one sentence that says what to do; the codes stand in the error table. */
export class ProvisionError extends Error {
  override readonly name = 'ProvisionError';

  constructor(
    readonly code: ProvisionErrorCode,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}
