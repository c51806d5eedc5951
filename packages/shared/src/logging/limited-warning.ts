import type { Logger } from './create-logger';

/** As often as somebody needs to read the same sentence. */
const EVERY_MS = 10_000;

/**
 * Warns of what may happen many times a second for as long as it lasts. Of each reason the first is logged at once, and then
 * one in `everyMs`, with how many there were in between.
 */
export class LimitedWarning {
  private readonly reasons = new Map<string, { at: number; unsaid: number }>();

  constructor(
    private readonly logger: Pick<Logger, 'warn'>,
    private readonly everyMs = EVERY_MS,
  ) {}

  warn(fields: { readonly error: string }, message: string): void {
    const now = performance.now();
    const known = this.reasons.get(message);
    if (known !== undefined && now - known.at < this.everyMs) {
      known.unsaid += 1;
      return;
    }
    this.reasons.set(message, { at: now, unsaid: 0 });
    this.logger.warn(known !== undefined && known.unsaid > 0 ? { ...fields, unsaid: known.unsaid } : fields, message);
  }
}
