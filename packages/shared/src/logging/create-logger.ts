import { pino, stdSerializers, type Logger } from 'pino';

export type { Logger } from 'pino';

/**
 * One JSON line per event on stderr, with request and job ids; never code, values, output or secrets. The redaction list
 * is the second fence, for what a careless caller passes whole.
 */
export function createLogger(service: 'api' | 'worker', level: string): Logger {
  return pino(
    {
      level,
      base: { service, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: serializeError },
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: [
          'code',
          'variables',
          'payload',
          'value',
          'stdout',
          'stderr',
          'key',
          'headers.authorization',
          'headers["x-api-key"]',
          'headers["x-python3-admin-key"]',
          'headers.cookie',
        ],
        censor: '[redacted]',
      },
    },
    pino.destination({ dest: 2, sync: false }),
  );
}

/** A refused Redis command carries its arguments: passwords, sealed jobs. Its name is enough. */
function serializeError(error: unknown): unknown {
  const serialized = stdSerializers.err(error as Error);
  if (typeof error !== 'object' || error === null || !('command' in error)) return serialized;
  const { name } = error.command as { name?: unknown };
  return { ...serialized, command: name };
}
