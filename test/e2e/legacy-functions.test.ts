import { describe, expect, it } from '@jest/globals';
import { useStandardCluster } from '../support/standard-cluster';
import { ADMIN_KEY } from '../support/test-cluster';
import { exec, execAsAdmin, legacy } from '../support/call';
import { waitFor } from '../support/wait-for';

const cluster = useStandardCluster();

const evaluate = async (expression: string, variables: object = {}): Promise<string | undefined> => {
  const answer = await legacy(cluster, 'eval', { expression, variables });
  return /"result":(.*?),"(?:stdout|status)"/s.exec(answer.text)?.[1];
};
const callModule = async (module: string, name: string, args: unknown[], kwargs = {}): Promise<string | undefined> => {
  const answer = await legacy(cluster, 'call-module', { module, function: name, args, kwargs });
  return /"result":(.*?),"(?:stdout|status)"/s.exec(answer.text)?.[1] ?? answer.text;
};

describe('what the predecessor’s users do', () => {
  it('is available, names its version and answers the example exactly', async () => {
    expect((await legacy(cluster, 'health')).json).toMatchObject({
      healthy: true,
      available: true,
      status: 'HEALTHY',
      timestamp: expect.any(Number),
    });
    const version = (await legacy(cluster, 'version')).json;
    expect(version).toMatchObject({
      available: true,
      pythonVersion: expect.stringMatching(/^3\.\d+\.\d+/),
      moduleVersion: expect.any(String),
    });
    expect(version.version).toContain(version.pythonVersion);
    expect((await legacy(cluster, 'example')).json).toMatchObject({
      success: true,
      result: 'Python 3 is working! 2^100 = 1267650600228229401496703205376',
    });
  });

  it.each([
    ['2 + 2', '4'],
    ['sum([1,2,3,4,5])', '15'],
    ['2 ** 100', '1267650600228229401496703205376'],
    ["'Hello ' + 'World'", '"Hello World"'],
    ['[x**2 for x in range(5)]', '[0,1,4,9,16]'],
    ['2 ** 10', '1024'],
  ])('eval %s gives %s', async (expression, expected) => {
    expect(await evaluate(expression)).toBe(expected);
  });

  it('eval sees its variables', async () => {
    expect(await evaluate('a + b', { a: 10, b: 20 })).toBe('30');
  });

  it('exec imports, computes and takes variables', async () => {
    expect((await exec(cluster, 'import math; x = math.pi; result = round(x,2)')).json.result).toBe(3.14);
    expect((await exec(cluster, 'x=10\ny=20\nresult = x + y')).json.result).toBe(30);
    const variables = { name: 'Alice', age: 30, values: [1, 2, 3, 4, 5] };
    const code = 'result = {"message": f"{name} is {age} years old", "total": sum(values)}';
    expect((await exec(cluster, code, variables)).json.result).toEqual({ message: 'Alice is 30 years old', total: 15 });
  });

  it.each([
    ['math', 'sqrt', [16], '4.0'],
    ['math', 'sqrt', [144], '12.0'],
    ['math', 'pow', [2, 10], '1024.0'],
    ['math', 'factorial', [5], '120'],
    ['json', 'dumps', [{ a: 1 }], '"{\\"a\\": 1}"'],
  ])('call-module %s.%s(%j) gives %s', async (module, name, args, expected) => {
    expect(await callModule(module, name, args)).toBe(expected);
  });

  it('call-module takes keyword arguments and dotted names', async () => {
    expect(await callModule('json', 'dumps', [{ b: 1, a: 2 }], { sort_keys: true })).toBe('"{\\"a\\": 2, \\"b\\": 1}"');
    expect(await callModule('datetime', 'date.fromisoformat', ['2024-02-29'])).toBe('"2024-02-29"');
  });

  it('admin code reads the system, restricted code may not', async () => {
    const admin = await execAsAdmin(cluster, 'import sys, platform\nresult = {"python": sys.version_info[0], "system": platform.system()}');
    expect(admin.json.result).toEqual({ python: 3, system: 'Linux' });
    const refused = await exec(cluster, 'import os');
    expect(refused.json).toMatchObject({ success: false, errorType: 'SecurityError' });
    expect(refused.json.error).toMatch(
      /^Python error: SECURITY ERROR: Security violation: Import of 'os' requires Administrator role\. .*\n.*ADMIN mode.*\nAllowed modules: \[/,
    );
    const directory = await legacy(
      cluster,
      'call-module',
      { module: 'os', function: 'getcwd' },
      { key: null, headers: { 'x-admin-mode': 'TRUE', 'x-api-key': ADMIN_KEY } },
    );
    expect(directory.json).toMatchObject({ success: true, result: expect.stringContaining('scratch') });
  });

  it.each([
    ['this is invalid python', 'SyntaxError'],
    ['2 +', 'SyntaxError'],
    ['result = missing', 'NameError'],
    ['import no_such_module_at_all', 'ModuleNotFoundError'],
    ['1 / 0', 'ZeroDivisionError'],
  ])('exec %s is told as %s', async (code, type) => {
    const answer = await execAsAdmin(cluster, code);
    expect(answer.json).toMatchObject({ success: false, errorType: type });
  });

  it('statistics over sensor data', async () => {
    const code = 'import statistics\nresult = [statistics.mean(d), statistics.median(d), round(statistics.stdev(d), 4)]';
    expect((await exec(cluster, code, { d: [20.5, 21.0, 19.8, 22.3, 20.9] })).json.result).toEqual([20.9, 20.9, 0.9138]);
  });

  it('nested input data', async () => {
    const code =
      'n = inputData["numbers"]\nresult = {"sum": sum(n), "avg": sum(n) / len(n), "max": max(n), "min": min(n), "name": inputData["name"]}';
    const answer = await exec(cluster, code, { inputData: { numbers: [1, 2, 3, 4, 5], name: 'test' } });
    expect(answer.json.result).toEqual({ sum: 15, avg: 3, max: 5, min: 1, name: 'test' });
  });

  it('functions call each other, recurse and see top-level variables and imports', async () => {
    expect((await exec(cluster, CALLS)).json.result).toEqual([120, [2, 4, 6], 3]);
  });

  it('reads pool and distribution', async () => {
    const stats = (await legacy(cluster, 'pool-stats')).json;
    expect(stats).toMatchObject({ totalSize: expect.any(Number), healthy: expect.any(Number) });
    expect(stats.poolSize).toBe(stats.totalSize);
    expect(stats.totalSize).toBeGreaterThanOrEqual(3);
    expect(stats.available).toBe(stats.totalSize - stats.inUse);
    const diagnostics = (await legacy(cluster, 'diagnostics')).json;
    expect(diagnostics.distributionInfo).toMatchObject({ os: 'linux', embeddedInstalled: false, autoDownload: false, available: true });
  });

  it('checks syntax without running anything', async () => {
    const clean = await legacy(cluster, 'check-syntax', { code: 'import os\nos._exit(1)' });
    expect(clean.json).toEqual({ success: true, errors: [] });
    const broken = await legacy(cluster, 'check-syntax', { code: 'x = 1\ndef f(:\n  pass' });
    expect(broken.json).toMatchObject({
      success: true,
      errors: [{ line: 2, column: expect.any(Number), severity: 'error', message: expect.any(String) }],
    });
    expect((await legacy(cluster, 'check-syntax', { code: '' })).json).toEqual({ success: true, errors: [] });
  });

  it('a hundred evals in a row, and five that sleep side by side', async () => {
    for (let index = 0; index < 100; index += 1) expect(await evaluate(`${index} + 1`)).toBe(`${index + 1}`);
    const sleeps = await Promise.all(
      Array.from({ length: 5 }, (_, index) => exec(cluster, 'import time\ntime.sleep(0.2)\nresult = i', { i: index })),
    );
    expect(sleeps.map((answer) => answer.json.result)).toEqual([0, 1, 2, 3, 4]);
  });

  it('a timer that calls factorial on every tick gets its answer each time', async () => {
    let ticks = 0;
    const timer = setInterval(() => {
      void callModule('math', 'factorial', [5]).then((text) => text === '120' && (ticks += 1));
    }, 50);
    await waitFor('ten ticks', () => ticks >= 10);
    clearInterval(timer);
  });

  it('a program that reaches out over the network gets an answer or an error, never a hang', async () => {
    const code = `import urllib.request\nresult = urllib.request.urlopen('${cluster.url('/health/live')}', timeout=5).status`;
    expect((await execAsAdmin(cluster, code)).json).toMatchObject({ success: true, result: 200 });
  });
});

const CALLS = `
import math
numbers = [1, 2, 3]

def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)

def twice():
    return [helper(x) for x in numbers]

def helper(x):
    return x * 2

result = [factorial(5), twice(), math.floor(math.pi)]
`;
