import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger } from '@python3-cluster/shared';
import { isAlive, StagedRunner } from '../../../../test/contracts/staged-runner';
import { itIf } from '../../../../test/support/optional';
import { waitFor } from '../../../../test/support/wait-for';
import type { Child } from '../runner/child';
import { Template } from '../runner/template';
import type { Workspace } from './workspace';
import { scratchPathsIn } from '../run-directory/scratch-paths';
import { Workspaces, type WorkspacesOptions } from './workspaces';

const itAsRoot = itIf(process.getuid?.() === 0, 'takes root');
const runner = new StagedRunner(1_024);
const path = runner.directory.workspacesPath('restricted');
let workspaces: Workspaces;
let template: Template;
let shortages: number;
beforeAll(async () => {
  await runner.start();
  template = await Template.start({
    ...runner.templateOptions,
    onLost: () => undefined,
    onVacant: (workspace) => void workspaces.giveBack(workspace),
  });
});
afterAll(async () => {
  await template.stop();
  await runner.allGone();
  await runner.stop();
});
beforeEach(() => {
  shortages = 0;
});
afterEach(async () => {
  await workspaces.close();
  await waitFor('their descriptors to be closed', () => openPipes() === 0);
  for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true });
});

async function start(count: number, options: Partial<WorkspacesOptions> = {}): Promise<void> {
  workspaces = new Workspaces({
    path,
    count,
    firstUid: null,
    templateUid: null,
    isMounted: false,
    onShortage: () => (shortages += 1),
    logger: createLogger('worker', 'silent'),
    ...options,
  });
  await workspaces.start();
}

const openPipes = (): number =>
  readdirSync('/proc/self/fd').filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(path);
    } catch {
      return false;
    }
  }).length;

interface Taken {
  readonly workspace: Promise<Workspace>;
  readonly isPending: () => boolean;
}
function take(): Taken {
  let isPending = true;
  const workspace = workspaces.take();
  void workspace.then(() => (isPending = false));
  return { workspace, isPending: () => isPending };
}
/** Long enough for all that only waits for its turn. */
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

const limits = { memoryBytes: 1 << 28, cpuSeconds: 20, fileSizeBytes: 1 << 20, openFiles: 256, processes: 16_384, valueBytes: 1_024 };
/** Resolves with the answer. */
const run = (child: Child, code: string): Promise<void> =>
  new Promise((resolve, reject) =>
    child.run(
      {
        kind: 'exec',
        mode: 'admin',
        limits,
        policy: { allowedModules: [], blockedModules: [] },
        traceparent: null,
        spans: false,
        keep: true,
      },
      Buffer.from(JSON.stringify({ code, variables: {} })),
      { onAnswer: () => resolve(), onProtocolError: reject, onExited: () => reject(new Error('it ended')) },
    ),
  );

describe('workspaces', () => {
  it('are made at the start, each with a folder and pipes of its own', async () => {
    await start(3);
    const taken = await Promise.all([take(), take(), take()].map(({ workspace }) => workspace));
    expect(taken.map(({ scratchPath }) => scratchPath).sort()).toEqual(scratchPathsIn(path, 3));
    expect(new Set(taken.flatMap(({ stdoutPath, stderrPath }) => [stdoutPath, stderrPath])).size).toBe(6);
    expect([workspaces.tryTake(), openPipes(), shortages]).toEqual([undefined, 6, 0]);
  });

  it('are given back clean, to whoever has waited longest', async () => {
    await start(1);
    const first = await workspaces.take();
    const [second, third] = [take(), take()];
    expect(shortages).toBe(2);
    for (const next of [second, third]) {
      writeFileSync(join(first.scratchPath, 'left'), 'x');
      void workspaces.giveBack(first);
      expect(await next.workspace).toBe(first);
      expect(readdirSync(first.scratchPath)).toEqual([]);
    }
    expect(third.isPending()).toBe(false);
    await workspaces.giveBack(first);
    expect(workspaces.tryTake()).toBe(first);
  });

  it('are not given on before all that was printed there was taken', async () => {
    await start(1);
    const first = await workspaces.take();
    first.begin(100);
    const next = take();
    void workspaces.giveBack(first);
    await turns();
    expect(next.isPending()).toBe(true);
    first.finish();
    expect(await next.workspace).toBe(first);
  });

  it('are closed with their folders empty', async () => {
    await start(2);
    const lent = await workspaces.take();
    writeFileSync(join(lent.scratchPath, 'left'), 'x');
    await workspaces.close();
    await waitFor('their descriptors to be closed', () => openPipes() === 0);
    expect(scratchPathsIn(path, 2).flatMap((folder) => readdirSync(folder))).toEqual([]);
    // It comes too late, and changes nothing.
    await workspaces.giveBack(lent);
    expect(workspaces.tryTake()).toBeUndefined();
  });

  itAsRoot('have a group each where they have users each, and one group where there is one user', async () => {
    await start(2, { firstUid: 60_986, templateUid: 60_985 });
    const each = await Promise.all([workspaces.take(), workspaces.take()]);
    expect(each.map(({ uid }) => uid).sort()).toEqual([60_986, 60_987]);
    for (const { uid, scratchPath } of each) expect([lstatSync(scratchPath).uid, lstatSync(scratchPath).gid]).toEqual([0, uid]);
    await workspaces.close();
    rmSync(path, { recursive: true });
    mkdirSync(path);
    await start(2, { templateUid: 60_985 });
    const shared = await Promise.all([workspaces.take(), workspaces.take()]);
    expect(shared.map(({ uid, scratchPath }) => [uid, lstatSync(scratchPath).gid])).toEqual([
      [null, 60_985],
      [null, 60_985],
    ]);
  });
});

describe('a workspace', () => {
  it('is nobody else’s while its child lives, kept or not', async () => {
    await start(1);
    const child = await template.fork(await workspaces.take());
    const next = take();
    await turns();
    expect(next.isPending()).toBe(true);
    await run(child, 'result = 1');
    await waitFor('it to wait for another job', () => child.state === 'idle');
    await turns();
    expect([next.isPending(), isAlive(child.pid)]).toEqual([true, true]);
    child.kill();
    expect(await next.workspace).toBe(child.workspace);
    expect(isAlive(child.pid)).toBe(false);
  });

  it('is nobody else’s while a process lives that its child left, whatever that is deaf to', async () => {
    await start(1);
    const child = await template.fork(await workspaces.take());
    const { scratchPath } = child.workspace;
    const aliveThen = workspaces.take().then(() => pids.map(isAlive));
    const code = `
import os, signal
ready, tell = os.pipe()
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        for number in range(1, 31):
            if number not in (signal.SIGKILL, signal.SIGSTOP): signal.signal(number, signal.SIG_IGN)
        os.write(tell, b'%d\\n' % os.getpid())
        while True: signal.pause()
pids = b''
while pids.count(b'\\n') < 3: pids += os.read(ready, 100)
os.write(os.open('unfinished', os.O_CREAT | os.O_WRONLY), pids)
os.rename('unfinished', 'pids')
signal.pause()`;
    // It goes on: at its end the template would end them, too.
    run(child, code).catch(() => undefined);
    await waitFor('their numbers', () => existsSync(join(scratchPath, 'pids')));
    const pids = readFileSync(join(scratchPath, 'pids'), 'latin1').trim().split('\n').map(Number);
    expect(pids.map(isAlive)).toEqual([true, true, true]);
    child.kill();
    expect(await aliveThen).toEqual([false, false, false]);
    expect(readdirSync(scratchPath)).toEqual([]);
  });
});

describe('a workspace whose template went before its processes', () => {
  it('is nobody’s any more: another one takes its place, and its folder goes', async () => {
    const doomed = await Template.start({
      ...runner.templateOptions,
      onLost: () => undefined,
      onVacant: () => expect('given back').toBe('given up'),
      onForsaken: (workspace) => void workspaces.giveUp(workspace),
    });
    await start(1);
    const forsaken = await workspaces.take();
    const child = await doomed.fork(forsaken);
    // Of a session of its own, it outlives the child that its template takes along.
    const code =
      "import os\nread, write = os.pipe()\nif os.fork() == 0:\n    os.setsid()\n    os.write(write, b'%d' % os.getpid())\n    while True: __import__('signal').pause()\nopen('pid', 'wb').write(os.read(read, 20))\nresult = 1\n__import__('time').sleep(600)";
    const ran = run(child, code).catch(() => undefined);
    const pidFile = join(forsaken.scratchPath, 'pid');
    await waitFor('the process', () => existsSync(pidFile) && readFileSync(pidFile, 'latin1') !== '');
    const pid = Number(readFileSync(pidFile, 'latin1'));
    process.kill(doomed.pid, 'SIGKILL');
    await ran;
    const next = await workspaces.take();
    expect([next.scratchPath === forsaken.scratchPath, isAlive(pid)]).toEqual([false, true]);
    await waitFor('the folder to be gone', () => !existsSync(forsaken.stdoutPath));
    process.kill(pid, 'SIGKILL');
    await workspaces.giveBack(next);
  });
});

describe('a spoilt workspace', () => {
  const spoil = ({ scratchPath }: Workspace): void => {
    rmSync(scratchPath, { recursive: true });
    writeFileSync(scratchPath, 'in its place');
  };

  it('is replaced, and its folder removed', async () => {
    await start(2);
    const spoilt = await workspaces.take();
    spoil(spoilt);
    await workspaces.giveBack(spoilt);
    const both = [workspaces.tryTake(), workspaces.tryTake()];
    expect(both).not.toContain(spoilt);
    expect(both).not.toContain(undefined);
    expect(workspaces.tryTake()).toBeUndefined();
    expect([existsSync(join(spoilt.scratchPath, '..')), readdirSync(path).length]).toEqual([false, 2]);
    await waitFor('its pipes to be closed', () => openPipes() === 4);
    for (const one of both) expect(await one?.clean()).toBe(true);
  });

  it('is replaced for whoever waits for it, however often', async () => {
    await start(1);
    let lent = await workspaces.take();
    for (let round = 0; round < 5; round += 1) {
      const next = take();
      spoil(lent);
      const given = workspaces.giveBack(lent);
      expect(await next.workspace).not.toBe(lent);
      await given;
      lent = await next.workspace;
      const child = await template.fork(lent);
      expect(await child.ping(10_000)).toBe(true);
      child.kill();
      await child.exited;
      lent = await workspaces.take();
    }
    expect(readdirSync(path)).toHaveLength(1);
  });
});
