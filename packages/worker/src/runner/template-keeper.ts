import type { JobMode, Logger } from '@python3-cluster/shared';
import type { Workspace } from '../workspaces/workspace';
import type { Child } from './child';
import type { Workspaces } from '../workspaces/workspaces';
import { Template, type TemplateOptions, type TemplateReady } from './template';
import { reasonToRecycle, type WearLimits } from './template-wear';

export interface TemplateKeeperOptions extends Omit<TemplateOptions, 'onLost' | 'onVacant' | 'onForsaken' | 'onSpoilt'> {
  /** Its children's; its own to give out and take back. */
  readonly workspaces: Workspaces;
  /** Children forked ahead of demand. */
  readonly idleChildren: () => number;
  /** When a template is replaced though it is well: what it leaks, and what its children share, ends with it. */
  readonly wearLimits: WearLimits;
}

/** First pause before a lost template is started again; doubles up to the second figure while starts fail. */
const RESTART_PAUSE_MS = 50;
const RESTART_PAUSE_MOST_MS = 10_000;
const PROBE_TIMEOUT_MS = 5_000;

/**
 * Keeps one mode's template alive and a few idle children ready, so that a job finds its process forked already.
 * A template that is lost is replaced in the background while children of other templates go on. One that is worn is
 * replaced while it still serves; it ends when the last job of its children has ended.
 *
 *   starting ──▶ up ──worn, and the next one is up──▶ retired ──no children──▶ gone
 */
export class TemplateKeeper {
  readonly mode: JobMode;
  private readonly options: TemplateKeeperOptions;
  private readonly logger: Logger;
  private template: Template | undefined;
  private readonly retired = new Set<Template>();
  private starting: Promise<Template> | undefined;
  private idle: Child[] = [];
  private forking = 0;
  private stopped = false;
  private started = 0;

  constructor(options: TemplateKeeperOptions) {
    this.options = options;
    this.mode = options.mode;
    this.logger = options.logger;
  }

  /** @throws ClusterError TEMPLATE_START_FAILED */
  async start(): Promise<TemplateReady> {
    const template = await this.startTemplate();
    this.refill();
    return template.ready;
  }

  get isUp(): boolean {
    return this.template !== undefined;
  }

  /** Templates that came up so far. */
  get starts(): number {
    return this.started;
  }

  get pid(): number | undefined {
    return this.template?.pid;
  }

  /** A forked child that is connected and idle; waits for a template that is being replaced. */
  async takeChild(): Promise<Child> {
    const ready = this.idle.pop();
    // Refill after the job's own turn: forking competes with the job for the same cores.
    setImmediate(() => this.refill());
    if (ready?.state === 'idle') return ready;
    const workspace = await this.options.workspaces.take();
    const template = this.template ?? (await this.restart().catch((error: unknown) => this.giveBackAndThrow(workspace, error)));
    return template.fork(workspace);
  }

  private giveBackAndThrow(workspace: Workspace, error: unknown): never {
    void this.options.workspaces.giveBack(workspace);
    throw error;
  }

  /** Really runs something: the template answers, and an idle child does. Replaces whatever does not. */
  async check(): Promise<boolean> {
    const template = this.template;
    if (template === undefined) return false;
    if (!(await template.ping(PROBE_TIMEOUT_MS))) {
      this.logger.error({ mode: this.mode, pid: template.pid }, 'template does not answer and is replaced');
      template.kill();
      return false;
    }
    // A copy: children come and go while they are asked, and one that was taken meanwhile has a job coming.
    const asked = [...this.idle];
    const answers = await Promise.all(asked.map((child) => child.ping(PROBE_TIMEOUT_MS)));
    asked.forEach((child, index) => {
      const place = this.idle.indexOf(child);
      if (answers[index] || place < 0) return;
      this.logger.warn({ mode: this.mode, pid: child.pid }, 'idle child does not answer and is replaced');
      // Out of the list at once: no job may be given to it while it dies.
      this.idle.splice(place, 1);
      child.kill();
    });
    this.refill();
    await this.checkRetired();
    const reason = reasonToRecycle(template.wear, this.options.wearLimits);
    if (reason !== undefined) this.recycle(template, reason).catch(() => undefined);
    return answers.every(Boolean);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.starting?.catch(() => undefined);
    await Promise.all([this.template, ...this.retired].map(async (template) => template?.stop()));
  }

  kill(): void {
    this.stopped = true;
    for (const template of [this.template, ...this.retired]) template?.kill();
  }

  /** The old one serves until the new one is up, and if it does not come up. */
  private async recycle(old: Template, reason: string): Promise<void> {
    if (this.starting !== undefined || this.stopped || old !== this.template) return;
    this.logger.info({ mode: this.mode, pid: old.pid, reason }, 'template is worn and is replaced');
    this.starting = this.startTemplate()
      .catch((error: unknown) => {
        this.logger.error({ mode: this.mode, error: String(error) }, 'the next template did not come up');
        return old.lost ? this.restartUntilUp() : old;
      })
      .finally(() => (this.starting = undefined));
    const next = await this.starting;
    if (next === old || old.lost) return;
    this.retired.add(old);
    for (const child of this.idle.splice(0)) child.kill();
    old.retire();
    this.refill();
  }

  private async checkRetired(): Promise<void> {
    const asked = [...this.retired];
    const answers = await Promise.all(asked.map((template) => template.ping(PROBE_TIMEOUT_MS)));
    for (const [index, template] of asked.entries()) if (!answers[index]) template.kill();
  }

  private refill(): void {
    const template = this.template;
    if (template === undefined || this.stopped) return;
    while (this.idle.length + this.forking < this.options.idleChildren()) {
      const workspace = this.options.workspaces.tryTake();
      if (workspace === undefined) return;
      this.forking += 1;
      template.fork(workspace).then(
        (child) => this.addIdle(template, child),
        (error: unknown) => {
          this.forking -= 1;
          this.logger.warn({ mode: this.mode, error: String(error) }, 'a child could not be forked ahead');
        },
      );
    }
  }

  private addIdle(template: Template, child: Child): void {
    this.forking -= 1;
    if (template !== this.template || this.stopped) return child.kill();
    this.idle.push(child);
    void child.exited.then(() => {
      // An idle child that ends was killed from outside; one that was taken is no longer in the list.
      const index = this.idle.indexOf(child);
      if (index < 0) return;
      this.idle.splice(index, 1);
      setImmediate(() => this.refill());
    });
  }

  private async startTemplate(): Promise<Template> {
    const template = await Template.start({
      ...this.options,
      onLost: (lost) => this.handleLoss(lost),
      onVacant: (workspace) => void this.options.workspaces.giveBack(workspace),
      onForsaken: (workspace) => void this.options.workspaces.giveUp(workspace),
      onSpoilt: (spoilt) => void this.recycle(spoilt, 'a workspace could not be emptied').catch(() => undefined),
    });
    if (template.lost) throw new Error('the template ended at once');
    if (this.stopped) {
      template.kill();
      throw new Error('the worker node is stopping');
    }
    this.template = template;
    this.started += 1;
    return template;
  }

  private handleLoss(lost: Template): void {
    this.retired.delete(lost);
    if (lost !== this.template) return;
    this.template = undefined;
    this.idle = [];
    if (this.stopped) return;
    this.logger.error({ mode: this.mode, pid: lost.pid }, 'template is gone and is replaced');
    this.restart().catch(() => undefined);
  }

  /** One restart at a time, however many jobs wait for it. */
  private restart(): Promise<Template> {
    this.starting ??= this.restartUntilUp().finally(() => (this.starting = undefined));
    return this.starting;
  }

  private async restartUntilUp(): Promise<Template> {
    for (let pauseMs = RESTART_PAUSE_MS; ; pauseMs = Math.min(RESTART_PAUSE_MOST_MS, pauseMs * 2)) {
      if (this.stopped) throw new Error('the worker node is stopping');
      try {
        const template = await this.startTemplate();
        this.refill();
        return template;
      } catch (error) {
        this.logger.error({ mode: this.mode, error: String(error) }, 'template did not come up; trying again');
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }
}
