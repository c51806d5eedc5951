import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { assertOutside, isUnpackedPackage } from './assert-outside';

const folder = mkdtempSync(join(tmpdir(), 'python3-outside-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const data = join(folder, 'data');
mkdirSync(join(data, 'packages', 'python'), { recursive: true });
mkdirSync(join(folder, 'shown', 'deep'), { recursive: true });
writeFileSync(join(data, 'signing.key'), 'k');
symlinkSync(data, join(folder, 'shown', 'link'));

describe('what ADMIN code is shown', () => {
  it.each([
    ['holds a file of ours', folder],
    ['is one', join(data, 'signing.key')],
    ['is below a folder of ours', join(data, 'packages')],
    ['leads there by a link', join(folder, 'shown', 'link')],
  ])('is refused where it %s', (_, path) => {
    expect(() => assertOutside([data], [path])).toThrow(/is not to be seen/);
  });

  it('may be anything else, and what does not exist', () => {
    assertOutside([data, join(folder, 'none')], [join(folder, 'shown', 'deep'), join(folder, 'nothing')]);
  });

  it('may be an interpreter that was unpacked into the data directory, and nothing else of it', () => {
    const is = (path: string): boolean => isUnpackedPackage(path, [data]);
    expect([is(join(data, 'packages', 'python')), is(data), is(join(data, 'signing.key')), is(folder)]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});
