import type { Logger } from '@python3-cluster/shared';
import type { TemplateKeepers } from '../runner/template-keepers';

/** Runs a real probe through every template and idle child at a fixed pace; what does not answer is replaced. */
export class HealthCheck {
  private timer: NodeJS.Timeout | undefined;
  private readonly templates: TemplateKeepers;
  private readonly intervalMs: number;
  private readonly logger: Logger;

  constructor(templates: TemplateKeepers, intervalMs: number, logger: Logger) {
    this.templates = templates;
    this.intervalMs = intervalMs;
    this.logger = logger;
  }

  start(): void {
    this.timer = setTimeout(() => void this.run(), this.intervalMs);
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  /** The next check is planned after this one, so that a slow host is not checked twice at once. */
  private async run(): Promise<void> {
    try {
      await this.templates.check();
    } catch (error) {
      this.logger.error({ error: String(error) }, 'health check failed');
    }
    this.start();
  }
}
