// `npm test`: the Python tests, and beside them those of Jest that a standard cluster is enough for.
// `npm run test:deep` (--deep): the others of Jest.
//   --provision   also install optional tools of the tests (done in CI anyway)
// Other arguments go to Jest, and Python is left out; where one names files, Jest looks for them among all it has.
// Closes with one line of totals.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SUITES } from './test-suites.mjs';
import { report as reportTotals } from './test-totals.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dataDirectory = join(root, '.data');
const { findOrInstallBubblewrap, findOrInstallPython, findOrInstallRedis, installDebianPackages } = createRequire(import.meta.url)(
  '../packages/cli/dist/provision/index.js',
);

const OWN_ARGUMENTS = ['--deep', '--provision'];
const suite = process.argv.includes('--deep') ? 'deep' : 'standard';
const args = process.argv.slice(2).filter((argument) => !OWN_ARGUMENTS.includes(argument));
const namesFiles = args.some((argument) => !argument.startsWith('-'));
const jestResults = join(dataDirectory, `jest-results-${suite}.json`);
mkdirSync(dataDirectory, { recursive: true });
const report = (line) => console.log(line);
const redis = await findOrInstallRedis({ dataDirectory, report });
const [python, bubblewrap] = await Promise.all([
  findOrInstallPython({ dataDirectory, report }),
  findOrInstallBubblewrap({ dataDirectory, report }),
]);
if (typeof bubblewrap !== 'string') console.log(`no namespaces in these tests: ${bubblewrap.missing}`);
if (process.env.CI || process.argv.includes('--provision')) {
  const { missing } = await installDebianPackages(['python3-numpy', 'python3-pandas', 'prometheus', 'prometheus-alertmanager'], report);
  for (const [name, reason] of Object.entries(missing)) console.log(`not installed: ${name}: ${reason}`);
}
const environment = {
  ...process.env,
  // Unpacked for this user, it is on nobody's PATH.
  ...(typeof bubblewrap === 'string' && { PATH: [process.env.PATH, dirname(bubblewrap)].join(delimiter) }),
  NODE_ENV: 'test',
  PYTHON3_TEST_REDIS: JSON.stringify(redis),
  PYTHON3_TEST_PYTHON: JSON.stringify(python),
};

// Python's tests wait more than they compute, and so do Jest's: side by side they take little more than the longer of them.
const withPython = suite === 'standard' && args.length === 0;
const suites = [...(withPython ? [runPythonTests()] : []), runJest([...args, ...(namesFiles ? [] : SUITES[suite])])];
process.exitCode = reportTotals(suite, await Promise.all(suites)) ? 0 : 1;

async function runPythonTests() {
  const startedAt = Date.now();
  const words = ['-B', '-m', 'unittest', 'discover', '-v', '-s', 'python/tests', '-t', 'python/tests'];
  // Told when all of it is there, for Jest tells of its files meanwhile.
  const { code, text } = await run(python.file, words, { ...environment, ...python.env }, () => undefined);
  console.log(`\nPython tests (${python.file} ${python.version})\n${withoutPassed(text)}`);
  const ran = Number(/^Ran (\d+) tests?/m.exec(text)?.[1] ?? 0);
  const count = (name) => Number(new RegExp(`\\b${name}=(\\d+)`).exec(text)?.[1] ?? 0);
  const failed = count('failures') + count('errors') || (code === 0 ? 0 : 1);
  return {
    passed: Math.max(0, ran - failed - count('skipped')),
    failed,
    skipped: count('skipped'),
    ok: code === 0 && ran > 0,
    files: [{ name: 'python/tests', seconds: (Date.now() - startedAt) / 1_000 }],
  };
}

async function runJest(extra) {
  rmSync(jestResults, { force: true });
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const words = [jest, '--json', `--outputFile=${jestResults}`, ...extra];
  const { code } = await run(process.execPath, words, environment, (chunk) => process.stderr.write(chunk));
  try {
    const results = JSON.parse(readFileSync(jestResults, 'utf8'));
    for (const name of skippedTests(results)) console.log(`skipped: ${name}`);
    return {
      passed: results.numPassedTests,
      failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
      skipped: results.numPendingTests + results.numTodoTests,
      ok: code === 0,
      files: results.testResults.map(({ name, startTime, endTime }) => ({
        name: name.slice(root.length),
        seconds: (endTime - startTime) / 1_000,
      })),
    };
  } catch {
    return { passed: 0, failed: 1, skipped: 0, ok: false, files: [] };
  }
}

function skippedTests(results) {
  const tests = results.testResults.flatMap((file) => file.assertionResults);
  return tests.filter((test) => test.status === 'pending').map((test) => test.fullName);
}

function withoutPassed(text) {
  return text.replace(/^.*\.\.\. ok\n/gm, '');
}

/** Returns standard error, on which both runners report, and hands on what comes of it. */
function run(file, commandArgs, env, onText) {
  return new Promise((resolve) => {
    const child = spawn(file, commandArgs, { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
      onText(chunk);
    });
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => child.kill(signal));
    child.on('error', (error) => resolve({ code: 1, text: String(error) }));
    child.on('close', (code) => resolve({ code, text }));
  });
}
