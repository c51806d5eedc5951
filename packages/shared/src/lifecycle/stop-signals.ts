import { STOP_GRACE_MS } from './deadlines';
import { EXIT_CODES } from './exit-codes';

export interface StopSignalOptions {
  /** Stops everything in its written order; called once. */
  readonly stop: () => Promise<void>;
  /** How long `stop` may take by its own rules. */
  readonly drainMs: number;
  readonly onSignal: (signal: string) => void;
  /** A second signal: ends what `stop` waits for, so that it comes to its end. Without it the process ends at once. */
  readonly endNow?: () => void;
  /** Called just before the process ends: `false` where not everything had stopped. */
  readonly onEnd?: (isInOrder: boolean) => void;
  /** End of this stream also means stop: the other end is held by the parent process. */
  readonly aliveStream?: NodeJS.ReadableStream | undefined;
}

/**
 * Signal table: SIGTERM, SIGINT, SIGHUP and the parent's end → stop in order, exit 0. A second signal, or a stop that
 * overruns its time → exit 3 now, or as soon as what `endNow` has ended is gone.
 * @returns the way to stop for another reason
 */
export function handleStopSignals(options: StopSignalOptions): (why: string) => void {
  let stoppingSince: number | undefined;
  let endsNow = false;
  const exit = (code: number): void => {
    options.onEnd?.(code === EXIT_CODES.ok);
    process.exit(code);
  };
  const handle = (signal: string): void => {
    if (stoppingSince !== undefined) {
      if (Date.now() - stoppingSince <= ECHO_MS) return;
      if (options.endNow === undefined || endsNow) return exit(EXIT_CODES.forced);
      endsNow = true;
      stoppingSince = Date.now();
      return options.endNow();
    }
    stoppingSince = Date.now();
    options.onSignal(signal);
    setTimeout(() => exit(EXIT_CODES.forced), options.drainMs + STOP_GRACE_MS).unref();
    options.stop().then(
      () => exit(endsNow ? EXIT_CODES.forced : EXIT_CODES.ok),
      () => exit(EXIT_CODES.forced),
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => handle(signal));
  options.aliveStream?.on('end', () => handle('parent ended')).resume();
  return handle;
}

/** Ctrl-C reaches the whole foreground group and npm passes it on once more: an echo is not a second signal. */
const ECHO_MS = 500;
