// `npm test`: the Python tests, then Jest; closes with one line of totals over all suites.
//   --provision   also install optional tools of the tests (done in CI anyway)
// Other arguments go to Jest.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dataDirectory = join(root, '.data');
const jestResults = join(dataDirectory, 'jest-results.json');
const { findOrInstallBubblewrap, findOrInstallPython, findOrInstallRedis, installDebianPackages } = createRequire(import.meta.url)(
  '../packages/cli/dist/provision/index.js',
);

const args = process.argv.slice(2).filter((argument) => argument !== '--provision');
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

const onlyJest = args.length > 0;
const totals = [onlyJest ? none() : await runPythonTests(), await runJest(args)];
const sum = (name) => totals.reduce((total, suite) => total + suite[name], 0);
console.log(`\n${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
process.exitCode = sum('failed') === 0 && sum('passed') > 0 && totals.every((suite) => suite.ok) ? 0 : 1;

function none() {
  return { passed: 0, failed: 0, skipped: 0, ok: true };
}

async function runPythonTests() {
  console.log(`\nPython tests (${python.file} ${python.version})`);
  const { code, text } = await run(python.file, ['-B', '-m', 'unittest', 'discover', '-v', '-s', 'python/tests', '-t', 'python/tests'], {
    ...environment,
    ...python.env,
  });
  const ran = Number(/^Ran (\d+) tests?/m.exec(text)?.[1] ?? 0);
  const count = (name) => Number(new RegExp(`\\b${name}=(\\d+)`).exec(text)?.[1] ?? 0);
  const failed = count('failures') + count('errors') || (code === 0 ? 0 : 1);
  return { passed: Math.max(0, ran - failed - count('skipped')), failed, skipped: count('skipped'), ok: code === 0 && ran > 0 };
}

async function runJest(extra) {
  console.log('\nTypeScript tests (Jest)');
  rmSync(jestResults, { force: true });
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const { code } = await run(process.execPath, [jest, '--json', `--outputFile=${jestResults}`, ...extra], environment);
  try {
    const results = JSON.parse(readFileSync(jestResults, 'utf8'));
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    for (const name of skippedTests(results)) console.log(`skipped: ${name}`);
    return { passed: results.numPassedTests, failed, skipped: results.numPendingTests + results.numTodoTests, ok: code === 0 };
  } catch {
    return { passed: 0, failed: 1, skipped: 0, ok: false };
  }
}

function skippedTests(results) {
  const tests = results.testResults.flatMap((suite) => suite.assertionResults);
  return tests.filter((test) => test.status === 'pending').map((test) => test.fullName);
}

/** Shows standard error, which both runners report on, as it comes (less what says only that a test passed), and returns it. */
function run(file, commandArgs, env) {
  return new Promise((resolve) => {
    const child = spawn(file, commandArgs, { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.on('data', (chunk) => {
      text += chunk;
      process.stderr.write(String(chunk).replace(/^.*\.\.\. ok\n/gm, ''));
    });
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => child.kill(signal));
    child.on('error', (error) => resolve({ code: 1, text: String(error) }));
    child.on('close', (code) => resolve({ code, text }));
  });
}
