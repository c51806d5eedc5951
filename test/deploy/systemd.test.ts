import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import {
  connectRedis,
  defaultPoolMax,
  EXIT_CODES,
  inspectRedis,
  loadConfig,
  optionTable,
  STOP_GRACE_MS,
  type Finding,
} from '@python3-cluster/shared';
import { itIf } from '../support/optional';
import { spawnLogged } from '../support/test-cluster';
import { freePort } from '../support/test-redis';
import { waitFor } from '../support/wait-for';
import { loadComposeFile, parseSeconds, repository } from './compose-file';
import { parseUnitMebibytes, readUnit } from './unit-file';

const NAMES = ['python3-cluster-api', 'python3-cluster-worker', 'python3-cluster-redis'];
const OURS = ['api', 'worker'] as const;
const service = (name: string) => readUnit(`python3-cluster-${name}`)['Service'] ?? new Map<string, readonly string[]>();
const only = (name: string, setting: string): string => service(name).get(setting)?.[0] ?? '';

describe.each(OURS)('the unit of %s', (name) => {
  it('is not started again with settings that cannot work', () => {
    expect(only(name, 'Restart')).toBe('on-failure');
    expect(only(name, 'RestartPreventExitStatus').split(' ')).toContain(String(EXIT_CODES.usage));
  });

  it('is given up when it keeps ending: so many starts fit into the interval, pauses included', () => {
    const limits = readUnit(`python3-cluster-${name}`)['Unit'] ?? new Map<string, readonly string[]>();
    const [interval = 0, burst = 0] = ['StartLimitIntervalSec', 'StartLimitBurst'].map((setting) => Number(limits.get(setting)?.[0]));
    expect(burst).toBeGreaterThan(1);
    expect(interval).toBeGreaterThan(2 * burst * Number(only(name, 'RestartSec')));
  });
});

describe('the time to stop', () => {
  it('is nested: a job’s time limit, the drain, the grace of systemd and Compose', () => {
    const drain = optionTable.drainSeconds.default;
    expect(drain).toBeGreaterThan(optionTable.timeoutSeconds.default);
    const { api, worker } = loadComposeFile().services;
    for (const { environment, stop_grace_period: grace = '' } of [api, worker]) {
      expect(Number(environment?.[optionTable.drainSeconds.name])).toBe(drain);
      expect(parseSeconds(grace)).toBeGreaterThanOrEqual(drain + STOP_GRACE_MS / 1_000 + 5);
    }
    for (const name of OURS) expect(Number(only(name, 'TimeoutStopSec'))).toBeGreaterThanOrEqual(drain + STOP_GRACE_MS / 1_000 + 5);
  });

  it('that is shorter than a job’s time limit is warned of', () => {
    const warningsOf = (settings: Record<string, string>) => loadConfig(settings).warnings.filter((text) => text.includes('PYTHON3_DRAIN_SECONDS'));
    expect(warningsOf({})).toEqual([]);
    expect(warningsOf({ PYTHON3_TIMEOUT_SECONDS: '60' })).toEqual([expect.stringContaining('a stop ends jobs that had time left')]);
    expect(warningsOf({ PYTHON3_TIMEOUT_SECONDS: '60', PYTHON3_DRAIN_SECONDS: '65' })).toEqual([]);
  });
}); // prettier-ignore

describe('the units', () => {
  const analyze = spawnSync('systemd-analyze', ['--version']).status === 0;
  itIf(analyze, 'no systemd-analyze')('are what systemd understands', () => {
    for (const name of NAMES) {
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', join(repository, 'deploy', 'systemd', `${name}.service`)], { encoding: 'utf8' });
      // Programs that are not installed here are none of the unit's faults.
      const complaints = stderr.split('\n').filter((line) => line.includes(name) && !line.includes('is not executable'));
      expect({ name, complaints, ended: status !== null }).toEqual({ name, complaints: [], ended: true });
    }
  });

  it.each(OURS)('%s has each secret by a credential that is named like its setting, and no API key where code runs', (name) => {
    const credentials = (service(name).get('LoadCredential') ?? []).map((text) => text.split(':')[0] ?? '');
    const secrets: string[] = Object.values(optionTable).flatMap((option) => ('secret' in option ? [option.name] : []));
    for (const credential of credentials) expect(secrets).toContain(credential);
    expect(credentials).toEqual(expect.arrayContaining(['REDIS_URL', 'PYTHON3_SIGNING_KEY']));
    if (name === 'worker') expect(credentials.join()).not.toContain('APIKEY');
  });

  it('a secret is read from systemd’s folder, kept from code like other secret files, and gives way to what is set', () => {
    const folder = mkdtempSync(join(tmpdir(), 'p3-credentials-'));
    try {
      writeFileSync(join(folder, 'PYTHON3_SIGNING_KEY'), `${'c'.repeat(64)}\n`);
      const { config, secretFiles } = loadConfig({ CREDENTIALS_DIRECTORY: folder });
      expect(config.signingKey).toBe('c'.repeat(64));
      expect(secretFiles).toEqual([join(folder, 'PYTHON3_SIGNING_KEY')]);
      expect(loadConfig({ CREDENTIALS_DIRECTORY: folder, PYTHON3_SIGNING_KEY: 'd'.repeat(64) }).config.signingKey).toBe('d'.repeat(64));
      writeFileSync(join(folder, 'PYTHON3_SIGNING_KEY'), 'short');
      expect(() => loadConfig({ CREDENTIALS_DIRECTORY: folder })).toThrow(/PYTHON3_SIGNING_KEY.* must have at least 32 characters/);
      // What is no secret does not come that way.
      writeFileSync(join(folder, 'PYTHON3_SIGNING_KEY'), 'c'.repeat(64));
      writeFileSync(join(folder, 'PORT'), '9999');
      expect(loadConfig({ CREDENTIALS_DIRECTORY: folder }).config.port).toBe(8311);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('the worker’s memory has room for the slots that it gives', () => {
    const memoryMb = parseUnitMebibytes(only('worker', 'MemoryMax'));
    const slots = defaultPoolMax({ cores: 64, memoryBytes: memoryMb * 1_048_576, maxMemoryMb: optionTable.maxMemoryMb.default }, 3, 20);
    expect(slots).toBeGreaterThan(3);
    expect(slots * optionTable.maxMemoryMb.default).toBeLessThan(memoryMb);
  });
}); // prettier-ignore

describe('Redis for bare servers', () => {
  const path = join(repository, 'deploy', 'redis', 'redis.conf');
  const program = (JSON.parse(process.env['PYTHON3_TEST_REDIS'] ?? '{"file":"redis-server"}') as { file: string }).file;

  it('the configuration is read by a real server, which is then suitable, asks for the password and is not open to others', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'p3-redis-'));
    const port = await freePort();
    writeFileSync(join(folder, 'redis-auth.conf'), 'requirepass of-the-test\n');
    // Its folder is entered as soon as it is read, and is systemd's to make.
    const own = join(folder, 'redis.conf');
    writeFileSync(own, readFileSync(path, 'utf8').replace(/^dir .*$/m, `dir ${folder}`));
    const args = [own, '--include', join(folder, 'redis-auth.conf'), '--port', String(port)];
    const server = spawnLogged(program, args, { PATH: process.env['PATH'] });
    const connect = (url: string) => connectRedis(url, { profile: 'patient', name: 'test', onError: () => undefined });
    const redis = connect(`redis://:of-the-test@127.0.0.1:${port}`);
    try {
      const findings = await waitFor('its answer', () => inspectRedis(redis, 'process').catch(() => undefined));
      expect(findings.filter(({ verdict }: Finding) => verdict !== 'ok')).toEqual([]);
      expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
      expect(await redis.config('GET', 'bind')).toEqual(['bind', '127.0.0.1 -::1']);
      expect(await redis.config('GET', 'dir')).toEqual(['dir', folder]);
    } finally {
      redis.disconnect();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('the unit hands it the password by a credential, keeps its data where the unit may write, and has twice its memory', () => {
    expect(only('redis', 'ExecStart')).toBe('/usr/bin/redis-server /etc/python3-cluster/redis.conf --include %d/redis-auth.conf');
    expect(only('redis', 'LoadCredential')).toMatch(/^redis-auth\.conf:\//);
    const text = readFileSync(path, 'utf8');
    expect(text).toContain(`dir /var/lib/${only('redis', 'StateDirectory')}\n`);
    expect(text).not.toMatch(/^requirepass/m);
    const maxMemoryMb = Number(/^maxmemory (\d+)mb$/m.exec(text)?.[1]);
    expect(parseUnitMebibytes(only('redis', 'MemoryMax'))).toBeGreaterThanOrEqual(2 * maxMemoryMb);
  });
}); // prettier-ignore

it('docs/deployment.md installs every unit, and makes every file that they ask for', () => {
  const page = readFileSync(join(repository, 'docs', 'deployment.md'), 'utf8');
  const sources = NAMES.flatMap((name) => (readUnit(name)['Service']?.get('LoadCredential') ?? []).map((text) => text.split(':')[1] ?? ''));
  for (const source of new Set(sources)) expect({ source, isMade: page.includes(source.split('/').at(-1) ?? '?') }).toEqual({ source, isMade: true });
  for (const name of NAMES) expect(page).toContain(name);
  expect(execFileSync('ls', [join(repository, 'deploy', 'systemd')], { encoding: 'utf8' }).trim().split('\n').sort()).toEqual(NAMES.map((name) => `${name}.service`).sort());
}); // prettier-ignore
