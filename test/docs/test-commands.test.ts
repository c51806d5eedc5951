import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';

const root = join(__dirname, '..', '..');
const SUITE_NAMES = ['standard', 'deep'] as const;

describe('a test file', () => {
  const listTests = (name: string): string[] => {
    const program = `import('./scripts/test-suites.mjs').then(({ SUITES }) => console.log(JSON.stringify(SUITES.${name})))`;
    const args = JSON.parse(execFileSync(process.execPath, ['-e', program], { cwd: root, encoding: 'utf8' })) as string[];
    const paths = execFileSync(process.execPath, ['node_modules/jest/bin/jest.js', '--listTests', ...args], {
      cwd: root,
      encoding: 'utf8',
    });
    return paths.split('\n').flatMap((path) => (path.startsWith('/') ? [relative(root, path)] : []));
  };
  const all = ['packages', 'test'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.test.ts') && !/(^|\/)(node_modules|dist)\//.test(path))
      .map((path) => join(folder, path)),
  );
  const [standard, deep] = SUITE_NAMES.map(listTests) as [string[], string[]];

  it('runs in exactly one of `npm test` and `npm run test:deep`', () => {
    expect([...standard, ...deep].sort()).toEqual(all.sort());
    expect([standard.length > 100, deep.length > 30]).toEqual([true, true]);
  });

  it('of `npm test` starts no cluster of its own: it is for the standard one, or for none', () => {
    const starts = /\b(?:TestCluster\.start|startTracedCluster|startAgreement|defineChaosTests)\(/;
    const ownCluster = standard.filter((path) => path.startsWith('test/e2e/') && starts.test(readFileSync(join(root, path), 'utf8')));
    expect(ownCluster).toEqual([]);
  });
});

describe('the totals of both commands', () => {
  const folders: string[] = [];
  afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true })));
  const suite = (change: object = {}): object => ({ passed: 20, failed: 0, skipped: 1, ok: true, files: [], ...change });
  function tell(suites: Record<string, object>): { code: number | null; lines: string[] } {
    const folder = mkdtempSync(join(tmpdir(), 'p3-totals-'));
    folders.push(folder);
    for (const [name, content] of Object.entries(suites)) writeFileSync(join(folder, `${name}.json`), JSON.stringify(content));
    const { status, stdout } = spawnSync(process.execPath, ['scripts/test-totals.mjs', folder], { cwd: root, encoding: 'utf8' });
    return { code: status, lines: stdout.trimEnd().split('\n') };
  }

  it('are one line, the last, after the ten slowest files', () => {
    const files = Array.from({ length: 8 }, (_, index) => ({ name: `file-${index}`, seconds: index }));
    const { code, lines } = tell({ standard: suite({ files }), deep: suite({ passed: 3, files }) });
    expect([code, lines.at(-1)]).toEqual([0, '23 passed, 0 failed, 2 skipped']);
    expect(lines.filter((line) => / passed, /.test(line))).toHaveLength(1);
    expect(lines.filter((line) => line.includes(' s  file-')).map((line) => Number.parseFloat(line))).toEqual([
      7, 7, 6, 6, 5, 5, 4, 4, 3, 3,
    ]);
  });

  it('tell of a failure of either, and of a command that did not come to its end', () => {
    const failed = suite({ failed: 2, ok: false });
    expect(tell({ standard: suite(), deep: failed })).toMatchObject({
      code: 1,
      lines: expect.arrayContaining(['40 passed, 2 failed, 2 skipped']),
    });
    expect(tell({ standard: failed, deep: suite() }).code).toBe(1);
    expect(tell({ standard: suite({ ok: false }), deep: suite() }).code).toBe(1);
    expect(tell({ standard: suite() })).toMatchObject({ code: 1, lines: expect.arrayContaining(['20 passed, 1 failed, 1 skipped']) });
  });
});
