import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { isAlive, StagedRunner } from '../../../../test/contracts/staged-runner';
import { waitFor } from '../../../../test/support/wait-for';
import { TemplateKeeper } from './template-keeper';
import { reasonToRecycle, type WearLimits } from './template-wear';

const runner = new StagedRunner(1_024);
const fixtures = join(runner.base, 'fixtures');
beforeAll(async () => {
  await runner.start();
  mkdirSync(fixtures);
  const main = join(runner.directory.runnerPath, '__main__.py');
  writeFileSync(main, `import sys\nsys.path.append(${JSON.stringify(fixtures)})\n${readFileSync(main, 'utf8')}`);
});
afterAll(() => runner.stop());

const keepers: TemplateKeeper[] = [];
afterEach(async () => {
  await Promise.all(keepers.splice(0).map((keeper) => keeper.stop()));
  await runner.allGone();
});

const NEVER: WearLimits = { forks: 0, ageMs: 0, grownBytes: 0 };

async function startKeeper(limits: Partial<WearLimits>, preload = ['json']): Promise<TemplateKeeper> {
  const wearLimits = { ...NEVER, ...limits };
  const keeper = new TemplateKeeper({
    ...runner.templateOptions,
    workspaces: runner.workspaces,
    preload,
    idleChildren: () => 1,
    wearLimits,
  });
  keepers.push(keeper);
  await keeper.start();
  return keeper;
}

const replaced = (keeper: TemplateKeeper, pid: number | undefined): Promise<boolean> =>
  waitFor('another template', () => keeper.isUp && keeper.pid !== pid);

describe('a worn template', () => {
  it('is replaced while it serves, and ends when the last of its children has ended', async () => {
    const keeper = await startKeeper({ forks: 2 });
    const before = keeper.pid as number;
    const busy = await keeper.takeChild();
    const other = await keeper.takeChild();
    expect(await keeper.check()).toBe(true);
    // The next one is starting; nobody waits for it.
    expect(keeper.pid).toBe(before);
    const meanwhile = await keeper.takeChild();
    await replaced(keeper, before);
    expect(await Promise.all([busy, other, meanwhile].map((child) => child.ping(5_000)))).toEqual([true, true, true]);
    const next = await keeper.takeChild();
    expect([next.isUsable, busy.isUsable]).toEqual([true, false]);
    other.kill();
    meanwhile.kill();
    await Promise.all([other.exited, meanwhile.exited]);
    expect([isAlive(before), await busy.ping(5_000)]).toEqual([true, true]);
    busy.kill();
    await waitFor('the old one to end', () => !isAlive(before));
    expect([busy.lostWithTemplate, await next.ping(5_000), runner.templatePids()]).toEqual([false, true, [keeper.pid]]);
  });

  it('is one that is old, or one that has grown', async () => {
    writeFileSync(join(fixtures, 'leaks.py'), 'import os\nos.register_at_fork(after_in_parent=lambda k=[]: k.append(b"x" * 4_000_000))\n');
    const old = await startKeeper({ ageMs: 1 });
    const leaking = await startKeeper({ grownBytes: 24_000_000 }, ['leaks']);
    const pids = [old.pid, leaking.pid];
    for (let forks = 0; forks < 8; forks += 1) (await leaking.takeChild()).kill();
    await Promise.all([old.check(), leaking.check()]);
    await Promise.all([replaced(old, pids[0]), replaced(leaking, pids[1])]);
  });

  it('goes on where the next one does not come up', async () => {
    const fixture = join(fixtures, 'vanishes.py');
    writeFileSync(fixture, '');
    const keeper = await startKeeper({ forks: 1 }, ['vanishes']);
    const before = keeper.pid;
    rmSync(fixture);
    await keeper.check();
    await waitFor('the attempt to be over', () => (keeper as unknown as { starting: unknown }).starting === undefined);
    expect(keeper.pid).toBe(before);
    expect(await (await keeper.takeChild()).ping(5_000)).toBe(true);
    writeFileSync(fixture, '');
    await keeper.check();
    await replaced(keeper, before);
  });

  it('ends with its keeper, children or not', async () => {
    const keeper = await startKeeper({ forks: 1 });
    const before = keeper.pid as number;
    const busy = await keeper.takeChild();
    await keeper.check();
    await replaced(keeper, before);
    await keeper.stop();
    expect([isAlive(before), isAlive(busy.pid), runner.pids()]).toEqual([false, false, []]);
  });
});

describe('the limits of wear', () => {
  const limits: WearLimits = { forks: 10, ageMs: 1_000, grownBytes: 1_048_576 };

  it('each hold for themselves, and 0 is none', () => {
    expect(reasonToRecycle({ forks: 9, ageMs: 999, grownBytes: 1_048_575 }, limits)).toBeUndefined();
    expect(reasonToRecycle({ forks: 10, ageMs: 0, grownBytes: 0 }, limits)).toBe('10 forks');
    expect(reasonToRecycle({ forks: 0, ageMs: 1_000, grownBytes: 0 }, limits)).toBe('1 s old');
    expect(reasonToRecycle({ forks: 0, ageMs: 0, grownBytes: 2_097_152 }, limits)).toBe('grown by 2 MiB');
    expect(reasonToRecycle({ forks: 1e9, ageMs: 1e9, grownBytes: 1e12 }, NEVER)).toBeUndefined();
  });
});
