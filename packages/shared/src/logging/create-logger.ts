import { pino, stdSerializers, type Logger } from 'pino';
import { LogSink } from './log-sink';

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
      serializers: { err: serializeError, path: cutText, url: cutText },
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: [...REDACTED_FIELDS],
        censor: '[redacted]',
      },
    },
    (sink ??= new LogSink((lines) => describeDropped(service, lines))),
  );
}

/** What has one of these names at the top of a line is not written; our own figures need other names. */
export const REDACTED_FIELDS = [
  'code', 'variables', 'payload', 'value', 'stdout', 'stderr', 'key',
  'headers.authorization', 'headers["x-api-key"]', 'headers["x-python3-admin-key"]', 'headers.cookie',
] as const; // prettier-ignore

/** One for the process, which has one standard error. */
let sink: LogSink | undefined;

/** As every other line. */
function describeDropped(service: string, droppedLines: number): string {
  const msg = 'log lines could not be written, or not fast enough, and were dropped';
  return `${JSON.stringify({ level: 'warn', time: new Date().toISOString(), service, pid: process.pid, droppedLines, msg })}\n`;
}

/** Callers without a key choose these: none may fill the log with one request. */
const MOST_CALLER_TEXT = 256;
const cutText = (text: unknown): unknown =>
  typeof text === 'string' && text.length > MOST_CALLER_TEXT ? `${text.slice(0, MOST_CALLER_TEXT)}…` : text;

/** A refused Redis command carries its arguments: passwords, sealed jobs. Its name is enough. */
function serializeError(error: unknown): unknown {
  const serialized = stdSerializers.err(error as Error);
  if (typeof error !== 'object' || error === null || !('command' in error)) return serialized;
  const { name } = error.command as { name?: unknown };
  return { ...serialized, command: name };
}
