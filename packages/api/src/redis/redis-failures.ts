import { isClusterError } from '@python3-cluster/shared';

/**
 * What a failed command tells about what Redis did:
 *
 *   refused     Redis answered with an error (OOM, READONLY, MISCONF, LOADING, NOAUTH …): it did nothing
 *   unsent      the connection was down before the command was written: Redis did nothing
 *   unanswered  the command was written, then the connection or our patience ended: nobody knows. "Connection is closed."
 *               counts here, as a Cluster says so of what a lost node had been sent, too
 */
export type RedisFailure = 'refused' | 'unsent' | 'unanswered';

export function classifyRedisFailure(error: unknown): RedisFailure {
  if (!(error instanceof Object) || !('message' in error)) return 'unanswered';
  if ('name' in error && error.name === 'ReplyError') return 'refused';
  // ioredis gives it no code or class of its own
  return /isn't writeable/.test(String(error.message)) ? 'unsent' : 'unanswered';
}

/** Answers that speak for the whole server, not for one command or key. */
const SERVER_REFUSES = /^(?:OOM|READONLY|MISCONF|LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|NOREPLICAS)\b/;
const CONNECTION_FAILED =
  /^(?:Command timed out|Connection is closed\.|Reached the max retries|Too many Cluster redirections|Failed to refresh slots cache)|isn't writeable/;

/**
 * Whether a failure says that Redis is in trouble, for anybody: it does not answer, or refuses everyone. Failures of ours
 * are judged by their cause; `QUEUE_UNAVAILABLE` without one means that there was no connection.
 */
export function isTransportFailure(error: unknown): boolean {
  if (!(error instanceof Object) || !('message' in error)) return false;
  if (isClusterError(error)) {
    if (error.cause !== undefined) return isTransportFailure(error.cause);
    return error.code === 'QUEUE_UNAVAILABLE' || error.code === 'QUEUE_UNCERTAIN';
  }
  const message = String(error.message);
  if ('name' in error && error.name === 'ReplyError') return SERVER_REFUSES.test(message);
  return CONNECTION_FAILED.test(message) || ('code' in error && /^E[A-Z]{4,}$/.test(String(error.code)));
}
