import { readdirSync, readFileSync } from 'node:fs';
import type { Logger } from 'pino';

const LOOK_MS = 5_000;
/** Told above the first share of the limit, and again only once it was below the second. */
const NEARLY_ALL = 0.9;
const ENOUGH = 0.8;

/** How many files, sockets and pipes this process has open; Infinity where there is none left to count them with. */
export function openDescriptors(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length - 1;
  } catch (error) {
    return ['EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '') ? Infinity : undefined;
  }
}

/** How many it may have. */
export function mostDescriptors(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

/**
 * Logs when descriptors are nearly used up. Node closes connections for which it has none without a word, so that callers
 * see an API that hangs up and nobody sees why. @returns the way to end it
 */
export function watchDescriptors(logger: Logger, most = mostDescriptors(), everyMs = LOOK_MS): () => void {
  let isTold = false;
  const look = (): void => {
    const open = openDescriptors();
    if (open === undefined || most === undefined) return;
    if (!isTold && open > most * NEARLY_ALL) {
      isTold = true;
      logger.error(
        { open: Number.isFinite(open) ? open : most, most },
        'descriptors are used up: new connections are refused; raise the limit (ulimit -n, LimitNOFILE)',
      );
    } else if (isTold && open < most * ENOUGH) {
      isTold = false;
      logger.info({ open, most }, 'there are descriptors again');
    }
  };
  const timer = setInterval(look, everyMs).unref();
  return () => clearInterval(timer);
}
