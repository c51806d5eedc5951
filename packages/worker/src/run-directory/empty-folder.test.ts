import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { itIf, pythonUnderTest } from '../../../../test/support/optional';
import { emptyFolder, removeTree, removeTreeAside } from './empty-folder';

const isRoot = process.getuid?.() === 0;
/** Outside of those that worker nodes lease by default. */
const USER = 60_984;

let base: string;
let folder: string;
let precious: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'python3-empty-'));
  chmodSync(base, 0o711);
  folder = join(base, 'scratch');
  mkdirSync(folder);
  precious = join(base, 'precious');
  mkdirSync(precious);
  writeFileSync(join(precious, 'file'), 'x');
  // As open as can be: what keeps it is that nobody goes there.
  chmodSync(precious, 0o777);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** Lets that user, or this process's own, leave something in the folder: Node knows no names that are not text. */
function leave(user: number | null, code: string): void {
  if (user !== null) {
    chownSync(folder, 0, user);
    chmodSync(folder, 0o770);
  }
  const identity =
    user === null ? '' : `os.setgroups([]), os.setresgid(${user}, ${user}, ${user}), os.setresuid(${user}, ${user}, ${user})\n`;
  const { file, env } = pythonUnderTest();
  const start = `import os\n${identity}os.chdir(${JSON.stringify(folder)})\nprecious = ${JSON.stringify(precious)}\n`;
  execFileSync(file, ['-I', '-c', start + code], { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'] });
}

const LEFT: Readonly<Record<string, string>> = {
  'files with awkward names': `for name in ('.hidden', 'new\\nline', '-rf', '*', 'a b'): open(name, 'w').close()`,
  'names that are not UTF-8': `os.mkdir(b'\\xff\\xfe')\nopen(b'\\xff\\xfe/\\xe9', 'w').close()\nos.symlink(b'\\xff', b'\\xc3')`,
  'folders 300 levels deep': `for level in range(300): os.mkdir('d'), os.chdir('d')\nopen('file', 'w').close()`,
  'folders deeper than a path may be long': `for level in range(100): os.mkdir('d' * 200), os.chdir('d' * 200)\nopen('file', 'w').close()`,
  'closed folders': `os.makedirs('closed/inner'), open('closed/inner/file', 'w').close(), os.chmod('closed/inner', 0), os.chmod('closed', 0)`,
  'closed folders in closed folders': `
for level in range(20): os.mkdir('d'), os.chdir('d')
for level in range(20): os.chmod('.', 0o300), os.chdir('..'), os.chmod('d', 0)`,
  'links to folders and files elsewhere': `
os.mkdir('inner')
for where in ('.', 'inner'): os.symlink(precious, where + '/folder'), os.symlink(precious + '/file', where + '/file'), os.symlink('..', where + '/up')
os.symlink('loop', 'loop')`,
  'pipes and sockets': `import socket\nos.mkfifo('pipe'), socket.socket(socket.AF_UNIX).bind('socket')`,
};
/** More than are removed at once. */
const many = (): string => `\nos.chdir(${JSON.stringify(folder)})\nfor count in range(300): open(str(count), 'w').close()`;
/** Each level counts. */
const isMuch = (what: string): boolean => what.includes('300');

const WHO: readonly [string, number | null, boolean][] = [
  ['its own user', null, true],
  ['another user', USER, isRoot],
];
for (const [name, user, canTest] of WHO) {
  describe(`what ${name} left in a folder`, () => {
    const itCan = itIf(canTest, 'takes root');

    itCan.each(Object.entries(LEFT))('is removed and not followed: %s', async (what, code) => {
      leave(user, code);
      const done = emptyFolder(folder, user);
      // Closed ones open at once only to root.
      if (isRoot) expect(readdirSync(folder).length > 0).toBe(isMuch(what));
      expect(await done).toBe(true);
      expect(readdirSync(folder)).toEqual([]);
      expect([readdirSync(precious), lstatSync(precious).mode & 0o777]).toEqual([['file'], 0o777]);
    });

    itCan.each(Object.entries(LEFT))('is removed and not followed by a process, where there is much: %s', async (_, code) => {
      leave(user, code + many());
      const done = emptyFolder(folder, user);
      expect(readdirSync(folder)).not.toEqual([]);
      expect(await done).toBe(true);
      expect(readdirSync(folder)).toEqual([]);
      expect([readdirSync(precious), lstatSync(precious).mode & 0o777]).toEqual([['file'], 0o777]);
    });
  });
}

describe('a folder that cannot be emptied', () => {
  itIf(isRoot, 'takes root')('because another one’s files are in it is told', async () => {
    chownSync(folder, 0, USER);
    // Neither are the files that user's, nor may it remove what is in there.
    mkdirSync(join(folder, 'of another'), { mode: 0o700 });
    for (let count = 0; count < 300; count += 1) writeFileSync(join(folder, 'of another', String(count)), '');
    expect(await emptyFolder(folder, USER)).toBe(false);
  });

  it.each<[string, () => void]>([
    ['is gone', () => undefined],
    ['is a file', () => writeFileSync(folder, 'x')],
    ['is a link', () => symlinkSync(precious, folder)],
  ])('because it %s is told', async (_, make) => {
    rmSync(folder, { recursive: true });
    make();
    expect(await emptyFolder(folder, null)).toBe(false);
    expect(readdirSync(precious)).toEqual(['file']);
  });
});

describe('a tree', () => {
  const removals: readonly [string, (path: string) => Promise<void> | void][] = [
    ['at once', removeTree],
    ['aside', removeTreeAside],
  ];
  it.each(removals)('is removed %s, itself too, and no link is followed', async (_, remove) => {
    leave(null, [LEFT['names that are not UTF-8'], LEFT['links to folders and files elsewhere']].join('\n'));
    await remove(folder);
    expect([existsSync(folder), readdirSync(precious)]).toEqual([false, ['file']]);
    symlinkSync(precious, folder);
    await remove(folder);
    expect([existsSync(folder), readdirSync(precious)]).toEqual([false, ['file']]);
  });

  it.each(removals)('that is not there is no error %s', async (_, remove) => {
    await remove(join(base, 'nothing'));
  });
});
