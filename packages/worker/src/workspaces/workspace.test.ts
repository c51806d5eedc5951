import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { itIf, pythonUnderTest } from '../../../../test/support/optional';
import { makeNamedPipes } from '../run-directory/stage-runner';
import { makeFolders, Workspace, type WorkspaceParts } from './workspace';

const itAsRoot = itIf(process.getuid?.() === 0, 'takes root');
/** Outside of those that worker nodes lease by default. */
const USER = 60_982;

let path: string;
let workspace: Workspace;
const made: Workspace[] = [];
beforeEach(async () => {
  path = mkdtempSync(join(tmpdir(), 'python3-workspace-'));
  chmodSync(path, 0o711);
  workspace = await make('7');
});
afterEach(() => {
  for (const one of made.splice(0)) one.close();
  rmSync(path, { recursive: true, force: true });
});

async function make(name: string, change: Partial<WorkspaceParts> = {}): Promise<Workspace> {
  const parts = { path: join(path, name), uid: null, group: null, isMounted: false, ...change };
  makeFolders(parts.path, parts);
  await makeNamedPipes(['stdout', 'stderr'].map((pipe) => join(parts.path, pipe)));
  const one = new Workspace(parts);
  made.push(one);
  return one;
}

const inScratch = (...names: string[]): string => join(workspace.scratchPath, ...names);
const modeOf = (file: string): number => lstatSync(file).mode & 0o7777;

describe('a workspace', () => {
  it('has a folder only its owner may enter, and two named pipes', () => {
    expect(modeOf(workspace.scratchPath)).toBe(0o700);
    for (const pipe of [workspace.stdoutPath, workspace.stderrPath]) {
      expect(lstatSync(pipe).isFIFO()).toBe(true);
      expect(modeOf(pipe)).toBe(0o600);
    }
    expect(readdirSync(workspace.scratchPath)).toEqual([]);
  });

  it('is never made in the place of another', () => {
    writeFileSync(inScratch('old'), 'x');
    expect(() => makeFolders(join(path, '7'), { group: null, isMounted: false })).toThrow('EEXIST');
    expect(readdirSync(workspace.scratchPath)).toEqual(['old']);
  });

  it('can be passed by those who work beside it, and not listed', () => {
    expect(modeOf(join(path, '7'))).toBe(0o711);
  });

  it('whose scratch folder its template mounts leaves that to the template', async () => {
    const mounted = await make('8', { isMounted: true });
    expect(modeOf(mounted.scratchPath)).toBe(0o711);
    const mark = join(mounted.scratchPath, 'what it is mounted over');
    writeFileSync(mark, 'x');
    expect(await mounted.clean()).toBe(true);
    expect([existsSync(mark), modeOf(mounted.scratchPath)]).toEqual([true, 0o711]);
  });

  it('is in use from the begin of a job until its output was taken', async () => {
    let isUnused = false;
    await workspace.unused();
    workspace.begin(100);
    const unused = workspace.unused().then(() => (isUnused = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isUnused).toBe(false);
    workspace.finish();
    await unused;
    await workspace.unused();
  });
});

describe('a workspace of a user', () => {
  /** What that user can do to it, and leaves: one line for each thing tried. */
  function beUser(code: string): string {
    const { file, env } = pythonUnderTest();
    const identity = `import os\nos.setgroups([])\nos.setresgid(${USER}, ${USER}, ${USER})\nos.setresuid(${USER}, ${USER}, ${USER})\n`;
    return execFileSync(file, ['-I', '-c', identity + code], { env: { ...process.env, ...env }, encoding: 'utf8' });
  }

  itAsRoot('is that user’s to write to, and not to close to who comes next', async () => {
    const ofUser = await make('8', { uid: USER, group: USER });
    const own = [ofUser.scratchPath, ofUser.stdoutPath, ofUser.stderrPath];
    expect(own.map(modeOf)).toEqual([0o770, 0o620, 0o620]);
    expect(own.map((file) => [lstatSync(file).uid, lstatSync(file).gid])).toEqual(own.map(() => [0, USER]));
    const said = beUser(`
os.chdir(${JSON.stringify(ofUser.scratchPath)})
os.makedirs('closed/inner'), open('closed/inner/file', 'w').close(), os.chmod('closed/inner', 0), os.chmod('closed', 0)
for path in ${JSON.stringify(own)}:
    try: os.chmod(path, 0)
    except PermissionError: print('refused')
for path in ${JSON.stringify(own.slice(1))}:
    try: os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except PermissionError: print('unread')`);
    expect(said.trim().split('\n')).toEqual(['refused', 'refused', 'refused', 'unread', 'unread']);
    expect(await ofUser.clean()).toBe(true);
    expect([readdirSync(ofUser.scratchPath), ...own.map(modeOf)]).toEqual([[], 0o770, 0o620, 0o620]);
  });

  itAsRoot('is closed to other users', async () => {
    const other = await make('8', { uid: USER + 1, group: USER + 1 });
    const paths = JSON.stringify([other.scratchPath, other.stdoutPath, other.stderrPath, join(path, '8')]);
    expect(beUser(`for path in ${paths}: print([os.access(path, right) for right in (os.R_OK, os.W_OK)])`)).toBe(
      '[False, False]\n'.repeat(4),
    );
  });
});

describe('cleaning opens to the next job', () => {
  it.each([0, 0o777, 0o1700])('a folder and pipes that a job gave the mode %i', async (mode) => {
    for (const own of [workspace.stdoutPath, workspace.stderrPath, workspace.scratchPath]) chmodSync(own, mode);
    expect(await workspace.clean()).toBe(true);
    expect([workspace.scratchPath, workspace.stdoutPath, workspace.stderrPath].map(modeOf)).toEqual([0o700, 0o600, 0o600]);
  });
});

describe('cleaning removes', () => {
  it.each<[string, () => void]>([
    ['nothing', () => undefined],
    ['files, hidden ones and awkward names too', () => ['a', '.b', 'with space', 'new\nline', 'é😀', '-rf', '*'].forEach((name) => writeFileSync(inScratch(name), 'x'))],
    ['nested folders', () => {
      mkdirSync(inScratch('a', 'b', 'c', 'd'), { recursive: true });
      writeFileSync(inScratch('a', 'b', 'c', 'd', 'file'), 'x');
    }],
    ['a folder deeper than a path may be long', () => {
      let deep = inScratch('d'.repeat(200));
      for (let level = 0; level < 15; level += 1) deep = join(deep, 'd'.repeat(200));
      mkdirSync(deep, { recursive: true });
    }],
    ['more files than are removed at once, hidden in a folder', () => {
      mkdirSync(inScratch('many'));
      for (let count = 0; count < 1_000; count += 1) writeFileSync(inScratch('many', String(count)), 'x');
    }],
    ['read-only files', () => {
      writeFileSync(inScratch('file'), 'x');
      chmodSync(inScratch('file'), 0o400);
    }],
    ['links to nowhere and to themselves', () => {
      symlinkSync('/nowhere/at/all', inScratch('nowhere'));
      symlinkSync('loop', inScratch('loop'));
    }],
  ])('%s', async (_, leave) => {
    const { ino } = lstatSync(workspace.scratchPath);
    leave();
    expect(await workspace.clean()).toBe(true);
    expect(readdirSync(workspace.scratchPath)).toEqual([]);
    // The folder itself stays: nobody who works there may put another one in its place.
    expect(lstatSync(workspace.scratchPath).ino).toBe(ino);
  }); // prettier-ignore

  it.each([0o500, 0o000])('folders with mode %o', async (mode) => {
    mkdirSync(inScratch('locked', 'inner'), { recursive: true });
    writeFileSync(inScratch('locked', 'inner', 'file'), 'x');
    chmodSync(inScratch('locked', 'inner'), mode);
    chmodSync(inScratch('locked'), mode);
    expect(await workspace.clean()).toBe(true);
    expect(readdirSync(workspace.scratchPath)).toEqual([]);
  });

  it('links, and nothing of what they point to', async () => {
    const precious = join(path, 'precious');
    mkdirSync(precious);
    writeFileSync(join(precious, 'file'), 'x');
    symlinkSync(precious, inScratch('folder'));
    symlinkSync(join(precious, 'file'), inScratch('file'));
    expect(await workspace.clean()).toBe(true);
    expect(readdirSync(workspace.scratchPath)).toEqual([]);
    expect(readdirSync(precious)).toEqual(['file']);
  });
});

describe('cleaning is not skipped', () => {
  // Where file times have the step of the kernel's tick, both changes of a round bear one time (ramfs; Linux before 6.13).
  it('for what is made in the very moment after a cleaning', async () => {
    for (let round = 0; round < 500; round += 1) {
      writeFileSync(inScratch('first'), 'x');
      expect(await workspace.clean()).toBe(true);
      writeFileSync(inScratch('second'), 'x');
      expect(await workspace.clean()).toBe(true);
      expect(readdirSync(workspace.scratchPath)).toEqual([]);
    }
  });

  it('for a folder that was replaced by another', async () => {
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(await workspace.clean()).toBe(true);
    renameSync(workspace.scratchPath, join(path, 'moved'));
    mkdirSync(workspace.scratchPath);
    writeFileSync(inScratch('file'), 'x');
    expect(await workspace.clean()).toBe(true);
    expect(readdirSync(workspace.scratchPath)).toEqual([]);
  });

  it('for what is made long after it', async () => {
    for (let round = 0; round < 3; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect(await workspace.clean()).toBe(true);
      writeFileSync(inScratch('file'), 'x');
      expect(await workspace.clean()).toBe(true);
      expect(readdirSync(workspace.scratchPath)).toEqual([]);
    }
  });
});

it('cleaning does not hold the event loop up, however many files a program wrote', async () => {
  const cleaningMs = async (files: number): Promise<number> => {
    for (let count = 0; count < files; count += 1) writeFileSync(inScratch(String(count)), '');
    const startedAt = performance.now();
    const cleaned = workspace.clean();
    const heldUpMs = performance.now() - startedAt;
    expect(await cleaned).toBe(true);
    expect([readdirSync(workspace.scratchPath), lstatSync(workspace.scratchPath).mode & 0o777]).toEqual([[], 0o700]);
    expect(readdirSync(join(path, '7'))).toHaveLength(3);
    return heldUpMs;
  };
  const few = Math.min(await cleaningMs(150), await cleaningMs(150));
  // Two hundred times as many would take two hundred times as long. The best of some: other processes hold us up, too.
  let many = Infinity;
  for (let round = 0; round < 4 && many >= 10 * few; round += 1) many = Math.min(many, await cleaningMs(30_000));
  expect(many).toBeLessThan(10 * Math.max(few, 5));
});

describe('a workspace whose folder', () => {
  it('is gone cannot be used again', async () => {
    rmSync(workspace.scratchPath, { recursive: true });
    expect(await workspace.clean()).toBe(false);
  });

  it('became a file cannot be used again', async () => {
    rmSync(workspace.scratchPath, { recursive: true });
    writeFileSync(workspace.scratchPath, 'x');
    expect(await workspace.clean()).toBe(false);
  });

  it('became a link cannot be used again, and what the link points to is left alone', async () => {
    const precious = join(path, 'precious');
    mkdirSync(precious);
    writeFileSync(join(precious, 'file'), 'x');
    chmodSync(precious, 0o751);
    rmSync(workspace.scratchPath, { recursive: true });
    symlinkSync(precious, workspace.scratchPath);
    expect(await workspace.clean()).toBe(false);
    expect([existsSync(join(precious, 'file')), modeOf(precious)]).toEqual([true, 0o751]);
  });
});
