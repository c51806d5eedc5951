// Everything that can be said about the sources without running them. `npm run check`; exits 1 if any part fails.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => join(root, 'node_modules', '.bin', name);
const CODE = ['packages/*/src/**/*.ts', 'test/**/*.ts', 'scripts/**/*.mjs', 'bench/**/*.mjs', '*.mjs', '*.cjs', '*.json'];

const checks = [
  ['types, tests included', bin('tsc'), ['-p', 'tsconfig.lint.json']],
  ['lint', bin('eslint'), ['--max-warnings', '0', '.']],
  ['format', bin('prettier'), ['--check', '--log-level', 'warn', ...CODE]],
  ['import direction and cycles', bin('depcruise'), ['--config', '.dependency-cruiser.cjs', '--output-type', 'err', 'packages']],
  ['folders import one way', bin('depcruise'), ['--config', '.dependency-cruiser.folders.cjs', '--output-type', 'err', 'packages']],
  ['dependencies declared and imported', bin('knip'), ['--include', 'dependencies,unlisted,unresolved', '--no-config-hints']],
  ['generated pages', process.execPath, ['scripts/generate.mjs', '--check']],
];

let failed = 0;
for (const [name, command, args] of checks) {
  const started = Date.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'}  ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  if (status !== 0) failed += 1;
}
process.exitCode = failed === 0 ? 0 : 1;
