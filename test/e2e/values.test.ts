import { describe, expect, it } from '@jest/globals';
import { useStandardCluster } from '../support/standard-cluster';
import { canImport, itIf } from '../support/optional';
import { call, exec, legacy, runAdminJob, runJob, valueText } from '../support/call';

const cluster = useStandardCluster();

/** [what goes in as raw JSON, what must come out as raw JSON] */
const roundTrips: [string, string][] = [
  ['9007199254740993', '9007199254740993'],
  ['1267650600228229401496703205376', '1267650600228229401496703205376'],
  ['1.0', '1.0'],
  ['-0.0', '-0.0'],
  ['0.1', '0.1'],
  ['1e400', '"Infinity"'],
  ['-1e400', '"-Infinity"'],
  [`${'9'.repeat(5_000)}`, `${'9'.repeat(5_000)}`],
  ['"\\ud800"', '"\\ud800"'],
  ['"\\u0000"', '"\\u0000"'],
  ['"Hello 世界 🌍"', '"Hello \\u4e16\\u754c \\ud83c\\udf0d"'],
  ['{"a":1,"a":2}', '{"a":2}'],
  ['{"ключ":null}', '{"\\u043a\\u043b\\u044e\\u0447":null}'],
  ['[[],{},"",null,true,false]', '[[],{},"",null,true,false]'],
];

describe('values', () => {
  it.each(roundTrips)('%s comes back from Python as %s', async (given, expected) => {
    const answer = await call(cluster, '/api/v1/jobs', `{"code":"result = given","variables":{"given":${given}}}`, {
      headers: { prefer: 'wait=30' },
    });
    expect(valueText(answer)).toBe(expected);
  });

  it.each([
    ['math.sqrt(16)', '4.0'],
    ['2 ** 100', '1267650600228229401496703205376'],
    ['2 ** 53 + 1', '9007199254740993'],
    ['10 ** 5000 - 10 ** 5000 + 7', '7'],
    ['float("nan")', '"NaN"'],
    ['(1, 2)', '[1,2]'],
    ['{3, 1, 2}', '[1,2,3]'],
    ['b"caf\\xc3\\xa9"', '"caf\\u00e9"'],
    ['datetime.datetime(2024, 2, 29, 12, 30)', '"2024-02-29T12:30:00"'],
    ['decimal.Decimal("1.10")', '"1.10"'],
    ['uuid.UUID(int=7)', '"00000000-0000-0000-0000-000000000007"'],
    ['{"a": {datetime.date(2024, 1, 1)}}', '{"a":["2024-01-01"]}'],
    ['{1: "one", None: 0, True: 2}', undefined],
  ])('%s is rendered as %s', async (expression, expected) => {
    const code = `import math, datetime, decimal, uuid\nresult = ${expression}`;
    const answer = await runJob(cluster, { code });
    expect(answer.json.outcome.status).toBe('succeeded');
    if (expected !== undefined) expect(valueText(answer)).toBe(expected);
  });

  it.each([
    ['a cyclic list', 'x = []\nx.append(x)\nresult = x', 'CircularReferenceError'],
    ['too deep a list', 'x = []\nfor _ in range(5000):\n    x = [x]\nresult = x', 'ValueTooDeepError'],
    ['too large a value', 'result = "x" * 20_000_000', 'ValueTooLargeError'],
  ])('%s fails with a clear type', async (_name, code, type) => {
    const answer = await runJob(cluster, { code });
    expect(answer.json.outcome).toMatchObject({ status: 'failed', error: { type } });
  });

  it('a code text with a lone surrogate fails as the code’s error, not ours', async () => {
    const answer = await call(cluster, '/api/v1/jobs', '{"code":"x = \'\\ud800\'"}', { headers: { prefer: 'wait=30' } });
    expect(answer.json.outcome.status).toBe('failed');
  });

  it('passes nested variables, numbers, nulls and unicode keys as native values', async () => {
    const answer = await exec(cluster, CHECK_TYPES, {
      numbers: [1, 2.5, -3],
      nested: { list: [{ deep: null }], flag: true },
      nothing: null,
      größe: 'ok',
    });
    expect(answer.json).toMatchObject({ success: true, result: ['list', 'float', 'NoneType', 'dict', 'bool', 'ok'] });
  });

  it('returns a large value whole', async () => {
    const answer = await runJob(cluster, { code: 'result = ["%06d" % n for n in range(100_000)]' });
    expect(answer.json.outcome.value).toHaveLength(100_000);
    expect(answer.json.outcome.value[99_999]).toBe('099999');
  });

  it('takes a payload too large for a queue entry', async () => {
    const readings = Array.from({ length: 50_000 }, (_, index) => index + 0.5);
    const answer = await exec(cluster, 'result = [len(readings), sum(readings)]', { readings });
    expect(answer.json.result).toEqual([50_000, 1_250_000_000]);
  });
});

describe('the predecessor’s result', () => {
  it('is the variable result, else what was printed, else null', async () => {
    expect((await exec(cluster, 'result = 1 + 1')).text).toContain('"result":2,');
    expect((await exec(cluster, 'print("hello")')).json.result).toBe('hello\n');
    expect((await exec(cluster, 'x = 1')).json.result).toBeNull();
    expect((await exec(cluster, 'print("noise")\nresult = None')).json.result).toBeNull();
  });

  it.each([
    ['2', '"2"'],
    ['4.0', '"4.0"'],
    ['True', '"true"'],
    ['None', 'null'],
    ['"text"', '"text"'],
    ['{"a": [1, 2.5]}', '"{\\"a\\":[1,2.5]}"'],
  ])('%s in its text form is %s', async (expression, expected) => {
    const answer = await legacy(cluster, 'eval', { expression }, { headers: { 'x-python3-legacy-result': 'string' } });
    expect(/"result":(.*?),"(?:stdout|status)"/.exec(answer.text)?.[1]).toBe(expected);
  });
});

itIf(canImport('numpy', 'pandas'), 'numpy and pandas are not installed')('numpy and pandas results are rendered', async () => {
  const answer = await runAdminJob(cluster, { code: PANDAS });
  const { status, value } = answer.json.outcome;
  expect({ status, value }).toEqual({ status: 'succeeded', value: [[1.5, [0, 1, 2]], [{ a: 1, b: 'x' }]] });
});

const CHECK_TYPES = `
result = [type(numbers).__name__, type(numbers[1]).__name__, type(nothing).__name__, type(nested['list'][0]).__name__,
          type(nested['flag']).__name__, größe]
`;

const PANDAS = `
import numpy, pandas
result = [[numpy.float64(1.5), numpy.arange(3)], pandas.DataFrame({'a': [1], 'b': ['x']})]
`;
