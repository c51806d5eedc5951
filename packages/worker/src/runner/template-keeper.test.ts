import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { childrenOf, isAlive, StagedRunner } from '../../../../test/contracts/staged-runner';
import { waitFor } from '../../../../test/support/wait-for';
import type { Child } from './child';
import { TemplateKeeper } from './template-keeper';
import type { WearLimits } from './template-wear';

const runner = new StagedRunner(1_024);
beforeAll(() => runner.start());
afterAll(() => runner.stop());

const keepers: TemplateKeeper[] = [];
afterEach(async () => {
  await Promise.all(keepers.splice(0).map((keeper) => keeper.stop()));
  await runner.allGone();
});

const NEVER: WearLimits = { forks: 0, ageMs: 0, grownBytes: 0 };

const createKeeper = (idleChildren: number, preload = ['json'], wearLimits = NEVER): TemplateKeeper =>
  new TemplateKeeper({ ...runner.templateOptions, workspaces: runner.workspaces, preload, idleChildren: () => idleChildren, wearLimits });

/** Started, and its idle children are connected: that they run is not yet that they are ready. */
async function startKeeper(idleChildren: number): Promise<TemplateKeeper> {
  const keeper = createKeeper(idleChildren);
  keepers.push(keeper);
  await keeper.start();
  await waitForIdle(keeper, idleChildren);
  return keeper;
}
const idleOf = (keeper: TemplateKeeper): readonly Child[] => (keeper as unknown as { readonly idle: readonly Child[] }).idle;
const waitForIdle = (keeper: TemplateKeeper, count: number): Promise<boolean> =>
  waitFor(`${count} idle children`, () => idleOf(keeper).length === count);

const onlyTemplatePid = (): number => {
  const pids = runner.templatePids();
  expect(pids).toHaveLength(1);
  return pids[0] as number;
};

describe('a keeper', () => {
  it('has children ready, and forks others in their place', async () => {
    const keeper = await startKeeper(2);
    const pid = onlyTemplatePid();
    const ready = childrenOf(pid);
    expect(ready).toHaveLength(2);
    const child = await keeper.takeChild();
    expect(ready).toContain(child.pid);
    await waitForIdle(keeper, 2);
    expect(childrenOf(pid)).toHaveLength(3);
    expect([await child.ping(5_000), await keeper.check()]).toEqual([true, true]);
  });

  it('gives different children to all who ask at once', async () => {
    const keeper = await startKeeper(2);
    const children = await Promise.all(Array.from({ length: 8 }, () => keeper.takeChild()));
    expect(new Set(children.map(({ pid }) => pid)).size).toBe(8);
    expect(await Promise.all(children.map((child) => child.ping(5_000)))).toEqual(children.map(() => true));
  });

  it('replaces an idle child that is killed', async () => {
    const keeper = await startKeeper(2);
    const pid = onlyTemplatePid();
    const killed = idleOf(keeper)[0] as Child;
    process.kill(killed.pid, 'SIGKILL');
    await waitFor('another in its place', () => idleOf(keeper).length === 2 && !idleOf(keeper).includes(killed));
    expect(onlyTemplatePid()).toBe(pid);
    const children = await Promise.all([keeper.takeChild(), keeper.takeChild()]);
    expect(children).not.toContain(killed);
    expect(await Promise.all(children.map((child) => child.ping(5_000)))).toEqual([true, true]);
  });

  it('replaces a template that is killed, and jobs meanwhile wait for the new one', async () => {
    const keeper = await startKeeper(1);
    const before = onlyTemplatePid();
    process.kill(before, 'SIGKILL');
    await waitFor('the loss to be seen', () => !keeper.isUp);
    const children = await Promise.all([keeper.takeChild(), keeper.takeChild(), keeper.takeChild()]);
    expect(onlyTemplatePid()).not.toBe(before);
    expect(await Promise.all(children.map((child) => child.ping(5_000)))).toEqual([true, true, true]);
    // One template for all who waited, and what it forked: nothing of the old one.
    await waitForIdle(keeper, 1);
    expect(runner.pids().sort()).toEqual([onlyTemplatePid(), ...childrenOf(onlyTemplatePid())].sort());
  });

  it('replaces, at its check, a template and an idle child that hang', async () => {
    const ofTemplate = await startKeeper(0);
    const hungTemplate = onlyTemplatePid();
    const ofChild = await startKeeper(1);
    const wellTemplate = runner.templatePids().find((pid) => pid !== hungTemplate) as number;
    const hungChild = idleOf(ofChild)[0] as Child;
    process.kill(hungTemplate, 'SIGSTOP');
    process.kill(hungChild.pid, 'SIGSTOP');
    expect(await Promise.all([ofTemplate.check(), ofChild.check()])).toEqual([false, false]);
    await waitFor('another template', () => {
      const pids = runner.templatePids();
      return pids.length === 2 && !pids.includes(hungTemplate) && ofTemplate.isUp;
    });
    await waitFor('another child', () => idleOf(ofChild).length === 1 && !idleOf(ofChild).includes(hungChild));
    expect([isAlive(hungTemplate), isAlive(hungChild.pid), isAlive(wellTemplate)]).toEqual([false, false, true]);
    expect(await Promise.all([ofTemplate.check(), ofChild.check()])).toEqual([true, true]);
  });

  it('that was stopped starts nothing any more', async () => {
    const keeper = await startKeeper(2);
    const pid = onlyTemplatePid();
    await keeper.stop();
    expect(isAlive(pid)).toBe(false);
    expect(runner.pids()).toEqual([]);
    await expect(keeper.takeChild()).rejects.toThrow();
    expect(await keeper.check()).toBe(false);
  });

  it('that cannot start says why', async () => {
    const keeper = createKeeper(1, ['no_such_module_at_all']);
    await expect(keeper.start()).rejects.toMatchObject({
      code: 'TEMPLATE_START_FAILED',
      message: expect.stringContaining('no_such_module_at_all'),
    });
    expect(keeper.isUp).toBe(false);
  });
});
