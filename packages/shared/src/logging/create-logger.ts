import { isatty } from 'node:tty';
import { pino, stdSerializers, type Logger } from 'pino';
import { formatLogLine } from './format-log-line';
import { LogSink } from './log-sink';

export type { Logger } from 'pino';

/** `auto`: for a person where standard error is a terminal, JSON elsewhere. */
export interface LogLook {
  readonly logFormat?: 'auto' | 'json' | 'text';
  /** https://no-color.org: anything but nothing. */
  readonly noColor?: string;
}

/**
 * One line per event on stderr, with request and job ids; never code, values, output or secrets. The redaction list
 * is the second fence, for what a careless caller passes whole.
 */
export function createLogger(service: 'api' | 'worker', level: string, look: LogLook = {}): Logger {
  const render = chooseRendering(look);
  sink ??= new LogSink((lines) => render(describeDropped(service, lines)));
  const outlet = sink;
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
    { write: (line: string) => outlet.write(render(line)) },
  );
}

const STDERR = 2;

function chooseRendering({ logFormat = 'json', noColor = '' }: LogLook): (line: string) => string {
  const isTerminal = isatty(STDERR);
  if (logFormat === 'json' || (logFormat === 'auto' && !isTerminal)) return (line) => line;
  return (line) => formatLogLine(line, isTerminal && noColor === '');
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
