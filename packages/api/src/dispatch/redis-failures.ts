/**
 * What a failed command tells about what Redis did:
 *
 *   refused     Redis answered with an error (OOM, READONLY, MISCONF, LOADING, NOAUTH …): it did nothing
 *   unsent      the connection was down before the command was written: Redis did nothing
 *   unanswered  the command was written, then the connection or our patience ended: nobody knows
 */
export type RedisFailure = 'refused' | 'unsent' | 'unanswered';

export function classifyRedisFailure(error: unknown): RedisFailure {
  if (!(error instanceof Object) || !('message' in error)) return 'unanswered';
  if ('name' in error && error.name === 'ReplyError') return 'refused';
  // ioredis gives these two no code or class of their own
  return error.message === 'Connection is closed.' || /isn't writeable/.test(String(error.message)) ? 'unsent' : 'unanswered';
}
