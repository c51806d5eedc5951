import type { JobMode } from '@python3-cluster/shared';
import type { Child } from './child';
import type { TemplateKeeper } from './template-keeper';
import type { TemplateReady } from './template';

/** One kept template per mode. */
export class TemplateKeepers {
  private readonly byMode: ReadonlyMap<JobMode, TemplateKeeper>;

  constructor(keepers: readonly TemplateKeeper[]) {
    this.byMode = new Map(keepers.map((keeper) => [keeper.mode, keeper]));
  }

  /** @throws ClusterError TEMPLATE_START_FAILED */
  async start(): Promise<TemplateReady> {
    const [first] = await Promise.all([...this.byMode.values()].map((keeper) => keeper.start()));
    if (first === undefined) throw new Error('no modes');
    return first;
  }

  takeChild(mode: JobMode): Promise<Child> {
    return this.keeper(mode).takeChild();
  }

  get areUp(): boolean {
    return [...this.byMode.values()].every((keeper) => keeper.isUp);
  }

  /** How each mode's template is, and how many there have been. */
  states(): readonly { readonly mode: JobMode; readonly isUp: boolean; readonly starts: number }[] {
    return [...this.byMode.values()].map(({ mode, isUp, starts }) => ({ mode, isUp, starts }));
  }

  async check(): Promise<void> {
    await Promise.all([...this.byMode.values()].map((keeper) => keeper.check()));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.byMode.values()].map((keeper) => keeper.stop()));
  }

  kill(): void {
    for (const keeper of this.byMode.values()) keeper.kill();
  }

  private keeper(mode: JobMode): TemplateKeeper {
    const keeper = this.byMode.get(mode);
    if (keeper === undefined) throw new Error(`no template for mode '${mode}'`);
    return keeper;
  }
}
