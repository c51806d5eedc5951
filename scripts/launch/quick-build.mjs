// Compiles packages/*/src to packages/*/dist without looking at types: for a clone that has no TypeScript installed. The
// output is what `tsc -b` writes, less its declarations; Jest runs all sources through the same compiler.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { root } from './root.mjs';

const { transform } = createRequire(import.meta.url)('@swc/core');
const packages = join(root, 'packages');

await Promise.all(readdirSync(packages).map((name) => buildPackage(join(packages, name))));

async function buildPackage(folder) {
  const [sources, output] = [join(folder, 'src'), join(folder, 'dist')];
  // Notes of an earlier `tsc -b`, which would take this output for its own.
  rmSync(join(output, '.tsbuildinfo'), { force: true });
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter((name) => /(?<!\.test|\.d)\.ts$/.test(name));
  await Promise.all(files.map((name) => compile(join(sources, name), join(output, name.replace(/\.ts$/, '.js')))));
}

async function compile(source, target) {
  const { code, map } = await transform(readFileSync(source, 'utf8'), {
    filename: source,
    sourceFileName: relative(dirname(target), source),
    swcrc: false,
    configFile: false,
    sourceMaps: true,
    module: { type: 'commonjs', ignoreDynamic: true },
    jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
  });
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(`${target}.map`, map);
  writeFileSync(target, `${code}\n//# sourceMappingURL=${relative(dirname(target), `${target}.map`)}\n`);
}
