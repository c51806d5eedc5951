// Totals of the two test commands. `node scripts/test-totals.mjs FOLDER`, where both have left theirs: the slowest files of
// all, and one line of totals; exits 1 if anything failed or a command has left none.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SUITES } from './test-suites.mjs';

const SLOWEST = 10;

/**
 * Says what the suites of one command came to; whether all is well. In continuous integration (PYTHON3_TEST_TOTALS names a
 * folder) it is left there instead, and said once for both commands.
 */
export function report(name, suites) {
  const totals = { ...add(suites), ok: suites.every(({ ok }) => ok), files: suites.flatMap(({ files }) => files) };
  const isWell = totals.ok && totals.failed === 0 && totals.passed > 0;
  const folder = process.env.PYTHON3_TEST_TOTALS;
  if (folder === undefined) console.log(`\n${lineOf(totals)}`);
  else writeFileSync(join(folder, `${name}.json`), JSON.stringify({ ...totals, ok: isWell }));
  return isWell;
}

function reportBoth(folder) {
  const suites = Object.keys(SUITES).map((name) => {
    const path = join(folder, `${name}.json`);
    return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : { passed: 0, failed: 1, skipped: 0, ok: false, files: [] };
  });
  const slowest = suites.flatMap(({ files }) => files).sort((one, other) => other.seconds - one.seconds);
  console.log('\nThe slowest files:');
  for (const { name, seconds } of slowest.slice(0, SLOWEST)) console.log(`${seconds.toFixed(1).padStart(8)} s  ${name}`);
  console.log(`\n${lineOf(add(suites))}`);
  return suites.every(({ ok }) => ok);
}

function add(suites) {
  const sum = (name) => suites.reduce((total, suite) => total + suite[name], 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
}

const lineOf = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = reportBoth(process.argv[2]) ? 0 : 1;
