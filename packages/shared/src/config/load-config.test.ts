import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadConfig, type Environment } from './load-config';
import { boolean, type Option } from './option';
import { optionTable } from './option-table';

const options: readonly Option<unknown>[] = Object.values(optionTable);
const SECRET = 'a-secret-of-the-tests-0123456789abcdef';

/** The message of a refused configuration. */
function refusal(environment: Environment): string {
  try {
    loadConfig(environment);
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message;
  }
  throw new Error('the configuration was accepted');
}
const problemsOf = (environment: Environment): string[] =>
  refusal(environment)
    .split('\n')
    .slice(1)
    .map((line) => line.replace(/^ {2}- /, ''));

/** As an operator would write it. */
function textOfDefault({ default: value, defaultText }: (typeof options)[number]): string {
  if (Array.isArray(value)) return value.join(',');
  if (typeof value === 'object') return defaultText ?? '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

describe('the option table', () => {
  it('names each option once, aliases included', () => {
    const names = options.flatMap((option) => [option.name, ...(option.aliases ?? [])]);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(options.map((option) => [option.name, option] as const))(
    '%s is described, and its default passes its own parser',
    (name, option) => {
      expect(name).toMatch(/^[A-Z][A-Z0-9_]*$/);
      expect(option.description).toMatch(/^[^\s].*\.$/s);
      expect(option.accepts).not.toBe('');
      const text = textOfDefault(option);
      if (text !== '') expect(option.parse(text)).toEqual({ ok: true, value: option.default });
    },
  );

  it('keeps secret what is secret', () => {
    const secret = Object.entries(optionTable).filter(([, option]) => (option as Option<unknown>).secret);
    expect(secret.map(([property]) => property)).toEqual([
      'redisUrl', 'adminApiKey', 'developerApiKey', 'signingKey', 'signingKeys', 'alertWebhook2Url', 'alertWebhook3Url', 'alertPagerdutyKey', 'alertWebhookUrl', 'alertmanagerUrl', 'metricsToken',
    ]); // prettier-ignore
  });
});

describe('defaults', () => {
  it('are those of the design', () => {
    const { config, warnings } = loadConfig({});
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      port: 8311, host: '127.0.0.1', redisUrl: '', poolMin: 3, lanes: ['default'], timeoutSeconds: 30, timeoutCeilingSeconds: 3_600,
      maxMemoryMb: 512, memoryCeilingMb: 2_048, maxCpuSeconds: 60, cpuCeilingSeconds: 600, maxOutputBytes: 1_048_576,
      maxBodyBytes: 16_777_216, auth: 'keys', legacyResult: 'json', signingKey: '', signingKeys: [], restrictedModules: [],
    }); // prettier-ignore
    expect(config.poolMax).toBeGreaterThanOrEqual(3);
    expect(config.poolMax).toBeLessThanOrEqual(20);
    expect(config.blockedModules).toHaveLength(15);
  });

  it('hold where a variable is empty, as Compose files leave it', () => {
    const empty = Object.fromEntries(
      options.flatMap((option) => [option.name, ...(option.aliases ?? []), `${option.name}_FILE`]).map((name) => [name, '']),
    );
    expect(loadConfig(Object.fromEntries(Object.entries(empty).filter(([name]) => !name.endsWith('_FILE')))).config).toEqual(
      loadConfig({}).config,
    );
    expect(loadConfig({ PYTHON3_SIGNING_KEY: '', PYTHON3_SIGNING_KEY_FILE: '' }).config.signingKey).toBe('');
  });

  it('are frozen, lists and all, and so is what was set', () => {
    for (const environment of [{}, { PYTHON3_LANES: 'a,b' }]) {
      const { config } = loadConfig(environment);
      expect(Object.isFrozen(config)).toBe(true);
      for (const [property, value] of Object.entries(config)) expect([property, Object.isFrozen(value)]).toEqual([property, true]);
      expect(() => (config.lanes as string[]).push('c')).toThrow(TypeError);
    }
  });
});

describe('values', () => {
  it.each<[string, string, unknown, Environment?]>([
    ['PORT', '0', 0], ['PORT', '65535', 65_535],
    ['PYTHON3_POOL_MIN', '3', 3], ['PYTHON3_POOL_MIN', '20', 20, { PYTHON3_POOL_MAX: '20' }], ['PYTHON3_POOLSIZE', '5', 5, { PYTHON3_POOL_MAX: '20' }],
    ['PYTHON3_POOL_MAX', '3', 3], ['PYTHON3_POOL_MAX', '20', 20],
    ['PYTHON3_LANES', 'default, vision,line-7', ['default', 'vision', 'line-7']], ['PYTHON3_LANES', 'a,,b,', ['a', 'b']],
    ['PYTHON3_RESTRICTED_MODULES', 'numpy, pandas.core', ['numpy', 'pandas.core']],
    ['PYTHON3_ISOLATION', 'D', 'D'], ['PYTHON3_AUTH', 'loopback-open', 'loopback-open'], ['HOST', '::1', '::1'],
    ['PYTHON3_ADMIN_APIKEY', 'x'.repeat(32), 'x'.repeat(32)],
    ['REDIS_URL', 'rediss://user:pass@redis.plant:6380/3', 'rediss://user:pass@redis.plant:6380/3'],
    ['PYTHON3_SIGNING_KEYS', `${'a'.repeat(32)}, ${'b'.repeat(64)}`, ['a'.repeat(32), 'b'.repeat(64)]],
  ])('%s=%s is taken', (name, text, value, besides = {}) => {
    const property = Object.entries(optionTable).find(([, option]) => [option.name, ...((option as Option<unknown>).aliases ?? [])].includes(name))?.[0];
    const { config, warnings } = loadConfig({ ...besides, [name]: text });
    expect(config[property as keyof typeof config]).toEqual(value);
    expect(warnings).toEqual([]);
  }); // prettier-ignore

  it.each([
    ['PORT', '65536'], ['PORT', '-1'], ['PORT', '80.0'], ['PORT', '0x50'], ['PORT', '1e3'], ['PORT', ' 80'], ['PORT', '80 '], ['PORT', '80\n'], ['PORT', '+80'], ['PORT', '٨'], ['PORT', 'http'],
    ['PYTHON3_POOL_MIN', '2'], ['PYTHON3_POOL_MIN', '21'], ['PYTHON3_POOL_MAX', '2'], ['PYTHON3_POOL_MAX', '21'], ['PYTHON3_POOLSIZE', '2'], ['PYTHON3_POOLSIZE', '50'],
    ['PYTHON3_POOL_MIN', '3.5'], ['PYTHON3_POOL_MIN', 'NaN'], ['PYTHON3_POOL_MIN', 'Infinity'], ['PYTHON3_POOL_MAX', '99999999999999999999'],
    ['PYTHON3_LANES', 'Default'], ['PYTHON3_LANES', 'a b'], ['PYTHON3_LANES', 'a,{b}'], ['PYTHON3_LANES', '-a'], ['PYTHON3_LANES', 'a'.repeat(33)], ['PYTHON3_LANES', ','],
    ['PYTHON3_RESTRICTED_MODULES', 'num py'], ['PYTHON3_PRELOAD', 'os;import x'], ['PYTHON3_PRELOAD', '.a'], ['PYTHON3_PRELOAD', '3d'],
    ['PYTHON3_ISOLATION', 'b'], ['PYTHON3_ISOLATION', 'E'], ['PYTHON3_AUTH', 'none'], ['PYTHON3_LOG_LEVEL', 'INFO'],
    ['HOST', 'a b'], ['HOST', 'x\n'], ['PYTHON3_PATH', 'python3'], ['PYTHON3_NAMESPACE', 'a:b'], ['PYTHON3_NODE_NAME', 'a\nb'],
    ['PYTHON3_MAX_MEMORY_MB', '31'], ['PYTHON3_TIMEOUT_SECONDS', '0'],
  ])('%s=%j is refused by name, with what is allowed', (name, text) => {
    const problems = problemsOf({ [name]: text });
    expect(problems[0]).toMatch(new RegExp(`^${name} must `));
  }); // prettier-ignore

  it.each(['', 'localhost', 'http://localhost', 'redis://', 'redis:6379', 'localhost:6379', '//localhost'].slice(1))(
    'REDIS_URL=%j is refused',
    (url) => {
      expect(problemsOf({ REDIS_URL: url })).toHaveLength(1);
    },
  );

  it.each(['True', 'TRUE', '1', '0', 'yes', 'no', 'on', '', ' true', 'true ', 'false\n', 'truefalse'])('%j is no boolean', (text) => {
    expect(boolean(text).ok).toBe(false);
  });

  it('true and false are booleans', () => {
    expect([boolean('true'), boolean('false')]).toEqual([
      { ok: true, value: true },
      { ok: true, value: false },
    ]);
  });
});

describe('problems', () => {
  it('are all reported at once, each by name', () => {
    const problems = problemsOf({
      PORT: 'x', PYTHON3_POOL_MIN: '2', PYTHON3_LANES: 'A', PYTHON3_ADMIN_APIKEY: 'short', REDIS_URL: 'x', PYTHON3_TIMEOUT: '5', PYTHON3_POOL_MAXX: '4',
    }); // prettier-ignore
    for (const name of ['PORT', 'PYTHON3_POOL_MIN', 'PYTHON3_LANES', 'PYTHON3_ADMIN_APIKEY', 'REDIS_URL', 'PYTHON3_POOL_MAXX'])
      expect(problems.filter((problem) => problem.startsWith(`${name} `))).toHaveLength(1);
    expect(problems).toHaveLength(6);
  });

  it.each<[string, Environment, RegExp]>([
    [
      'a least pool above the most',
      { PYTHON3_POOL_MIN: '10', PYTHON3_POOL_MAX: '4' },
      /PYTHON3_POOL_MIN must not be above PYTHON3_POOL_MAX/,
    ],
    [
      'a time limit above its ceiling',
      { PYTHON3_TIMEOUT_SECONDS: '60', PYTHON3_TIMEOUT_CEILING_SECONDS: '30' },
      /PYTHON3_TIMEOUT_SECONDS must not/,
    ],
    ['memory above its ceiling', { PYTHON3_MAX_MEMORY_MB: '4096' }, /PYTHON3_MAX_MEMORY_MB must not be above PYTHON3_MEMORY_CEILING_MB/],
    [
      'CPU above its ceiling',
      { PYTHON3_CPU_CEILING_SECONDS: '59' },
      /PYTHON3_MAX_CPU_SECONDS must not be above PYTHON3_CPU_CEILING_SECONDS/,
    ],
    ['one key for two roles', { PYTHON3_ADMIN_APIKEY: SECRET, PYTHON3_DEVELOPER_APIKEY: SECRET }, /must differ/],
    ['no lane', { PYTHON3_LANES: ' , ' }, /at least one lane/],
  ])('between settings are found: %s', (_, environment, words) => {
    expect(problemsOf(environment)).toEqual([expect.stringMatching(words)]);
  });
});

describe('aliases', () => {
  it('that agree are taken', () => {
    expect(loadConfig({ PYTHON3_POOLSIZE: '4', PYTHON3_POOL_MIN: '4', PYTHON3_POOL_MAX: '9' }).config.poolMin).toBe(4);
    expect(loadConfig({ PYTHON3_POOLSIZE: '4', PYTHON3_POOL_MIN: '', PYTHON3_POOL_MAX: '9' }).config.poolMin).toBe(4);
  });

  it('that differ are refused, both names said', () => {
    expect(problemsOf({ PYTHON3_POOLSIZE: '4', PYTHON3_POOL_MIN: '5', PYTHON3_POOL_MAX: '9' })).toEqual([
      'PYTHON3_POOL_MIN and PYTHON3_POOLSIZE mean the same but differ',
    ]);
  });
});

describe('names that are no settings', () => {
  it.each([
    ['PYTHON3_POOL_MINN', 'PYTHON3_POOL_MIN'],
    ['PYTHON3_POL_MIN', 'PYTHON3_POOL_MIN'],
    ['PYTHON3_POOLMIN', 'PYTHON3_POOL_MIN'],
    ['PYTHON3_POOL_SIZE', 'PYTHON3_POOLSIZE'],
    ['PYTHON3_ADMIN_API_KEY', 'PYTHON3_ADMIN_APIKEY'],
    ['PYTHON3_SIGNINGKEY', 'PYTHON3_SIGNING_KEY'],
    ['PYTHON3_SIGNING_KEY_FILES', 'PYTHON3_SIGNING_KEY_FILE'],
    ['PYTHON3_LANE', 'PYTHON3_LANES'],
  ])('%s stops the start and asks for %s', (name, meant) => {
    expect(problemsOf({ [name]: SECRET })).toEqual([`${name} is not a setting; did you mean ${meant}?`]);
    expect(problemsOf({ [name]: '' })).toHaveLength(1);
  });

  it('that are far from any setting only warn', () => {
    const { warnings } = loadConfig({ PYTHON3_SOMETHING_ELSE: 'x', PYTHON3_TEST_REDIS_URL: 'y', PYTHON3_POOL_MIN_FILE: '/x' });
    expect(warnings.map((warning) => warning.split(' ')[0])).toEqual([
      'PYTHON3_SOMETHING_ELSE',
      'PYTHON3_TEST_REDIS_URL',
      'PYTHON3_POOL_MIN_FILE',
    ]);
    for (const warning of warnings) expect(warning).toMatch(/is ignored$/);
  });

  it('that are not ours are nobody’s business', () => {
    expect(loadConfig({ PATH: '/bin', PYTHONPATH: '/x', PYTHON: '3', HOSTNAME: 'x', PORTS: '1' }).warnings).toEqual([]);
  });
});

describe('secrets', () => {
  const directory = mkdtempSync(join(tmpdir(), 'python3-config-'));
  const file = join(directory, 'key');
  beforeAll(() => writeFileSync(file, `${SECRET}\n`));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('may stand in a file; the line end is not part of them', () => {
    expect(loadConfig({ PYTHON3_SIGNING_KEY_FILE: file }).config.signingKey).toBe(SECRET);
    expect(loadConfig({ PYTHON3_SIGNING_KEY: '', PYTHON3_SIGNING_KEY_FILE: file }).config.signingKey).toBe(SECRET);
  });

  it.each([
    ['does not exist', join(directory, 'missing')],
    ['is a folder', directory],
  ])('a file that %s is a problem, said by name', (_, path) => {
    expect(problemsOf({ PYTHON3_SIGNING_KEY_FILE: path, PORT: 'x' })).toEqual([
      expect.stringMatching(/^PORT /),
      expect.stringMatching(/^PYTHON3_SIGNING_KEY_FILE cannot be read: E/),
    ]);
  });

  it('an empty file is a problem, not an empty secret', () => {
    const empty = join(directory, 'empty');
    writeFileSync(empty, '\n');
    expect(problemsOf({ PYTHON3_ADMIN_APIKEY_FILE: empty })).toEqual([`PYTHON3_ADMIN_APIKEY_FILE names a file that is empty: ${empty}`]);
  });

  it('what is wrong with the content of a file is said of the file, which is what somebody has set', () => {
    const short = join(directory, 'short');
    writeFileSync(short, 'too-short\n');
    expect(problemsOf({ PYTHON3_ADMIN_APIKEY_FILE: short })).toEqual([
      `PYTHON3_ADMIN_APIKEY_FILE (${short}) must have at least 32 characters`,
    ]);
  });

  it.each<[string, Environment]>([
    ['a short key', { PYTHON3_ADMIN_APIKEY: 'hunter2' }],
    ['a short key from a file', { PYTHON3_DEVELOPER_APIKEY_FILE: 'FILE' }],
    ['a Redis address with a password', { REDIS_URL: 'http://user:hunter2@redis' }],
    ['former keys', { PYTHON3_SIGNING_KEYS: 'hunter2,hunter2' }],
    ['two equal keys', { PYTHON3_ADMIN_APIKEY: `hunter2-${SECRET}`, PYTHON3_DEVELOPER_APIKEY: `hunter2-${SECRET}` }],
    ['a key under a misspelt name', { PYTHON3_SIGNING_KEI: `hunter2-${SECRET}` }],
  ])('never appear in a message: %s', (_, environment) => {
    const short = join(directory, 'short');
    writeFileSync(short, 'hunter2');
    const message = refusal(Object.fromEntries(Object.entries(environment).map(([name, text]) => [name, text === 'FILE' ? short : text])));
    expect(message).not.toContain('hunter2');
  });

  it('an open value does appear, so that the check above can fail', () => {
    expect(refusal({ PYTHON3_LANES: 'hunter 2' })).toContain("'hunter 2'");
  });
});
