import type { DiagLogger } from '@opentelemetry/api';
import type { Logger } from '../logging/create-logger';

/** A collector that is away is worth a line now and then, not one per batch. */
const QUIET_MS = 60_000;

/** Where the SDK says what went wrong: into our log, at most once a minute. */
export function createDiagnosticLogger(logger: Pick<Logger, 'warn'>, nowMs: () => number = () => performance.now()): DiagLogger {
  let saidAt = -Infinity;
  let unsaid = 0;
  const say = (message: string, ...rest: unknown[]): void => {
    if (nowMs() - saidAt < QUIET_MS) {
      unsaid += 1;
      return;
    }
    saidAt = nowMs();
    logger.warn({ event: 'telemetry', error: textOf(message, rest), unsaid }, 'traces are not exported as they should be');
    unsaid = 0;
  };
  const ignore = (): void => undefined;
  return { error: say, warn: say, info: ignore, debug: ignore, verbose: ignore };
}

const MAX_TEXT = 300;

/** Errors come as objects, or as JSON of one, stack trace and response included. */
function textOf(message: string, rest: readonly unknown[]): string {
  const parts = [message, ...rest].map((part) => (part instanceof Error ? part.message : typeof part === 'string' ? part : ''));
  const text = parts.filter((part) => part !== '').join(' ');
  const found = /"message":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text;
  return found.slice(0, MAX_TEXT);
}
