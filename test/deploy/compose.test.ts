import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Ajv, type ValidateFunction } from 'ajv';
import { loadConfig, optionTable, STOP_GRACE_MS } from '@python3-cluster/shared';
import { composeText, loadComposeFile, parseMebibytes, parseSeconds, repository } from './compose-file';
import { instructionsOf, parseDockerfile } from './dockerfile';

const compose = loadComposeFile();
const { redis, api, worker } = compose.services;
const ours = Object.entries({ api, worker });
const all = Object.entries(compose.services);

describe('docker-compose.yml', () => {
  it('is valid under the schema of the Compose specification', () => {
    const validate = createValidator();
    validate(compose);
    expect(validate.errors ?? []).toEqual([]);
  });

  it('would not be valid with a misspelt key or a wrong type, so the schema is a strict one', () => {
    const validate = createValidator();
    const withWorker = (change: object): object => ({ ...compose, services: { ...compose.services, worker: { ...worker, ...change } } });
    expect(validate(withWorker({ cap_drops: ['ALL'] }))).toBe(false);
    expect(validate(withWorker({ read_only: ['x'] }))).toBe(false);
    expect(validate(withWorker({ depends_on: { redis: { condition: 'healthy' } } }))).toBe(false);
  });

  it('holds Redis, the API and the worker', () => {
    expect(all.map(([name]) => name).sort()).toEqual(['api', 'redis', 'worker']);
  });

  it('refers only to networks, volumes, secrets and services that exist', () => {
    for (const [, service] of all) {
      expect(Object.keys(compose.networks)).toEqual(expect.arrayContaining([...(service.networks ?? [])]));
      expect(Object.keys(compose.secrets)).toEqual(expect.arrayContaining([...(service.secrets ?? [])]));
      expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(Object.keys(service.depends_on ?? {})));
      for (const volume of service.volumes ?? []) expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
    }
  });

  it('needs no variable of the host', () => {
    const values = composeText.replace(/^\s*#.*$/gm, '').replaceAll('$$', '');
    expect(values).not.toContain('$');
  });
});

describe('Redis in docker-compose.yml', () => {
  const argument = (name: string): string | undefined => redis.command?.[redis.command.indexOf(name) + 1];

  it('keeps an append-only file on a named volume, and evicts nothing', () => {
    expect(argument('--appendonly')).toBe('yes');
    expect(argument('--appendfsync')).toBe('everysec');
    expect(argument('--maxmemory-policy')).toBe('noeviction');
    expect(argument('--dir')).toBe('/data');
    expect(redis.volumes).toEqual(['redis-data:/data']);
  });

  it('asks for a password that comes from a secret', () => {
    expect(redis.command?.[1]).toBe('/run/secrets/redis_conf');
    expect(redis.secrets).toContain('redis_conf');
  });

  it('refuses writes before its container runs out of memory, also while it rewrites its file', () => {
    expect(2 * parseMebibytes(argument('--maxmemory') ?? '')).toBeLessThanOrEqual(parseMebibytes(redis.mem_limit ?? ''));
  });

  it('is checked with its password, which stands in no argument', () => {
    const check = redis.healthcheck?.test.join(' ') ?? '';
    expect(check).toContain('REDISCLI_AUTH="$(cat /run/secrets/redis_password)"');
    expect(check).not.toMatch(/ -a | --pass/);
  });

  it('publishes no port, and is on a network without a way out', () => {
    expect(redis.ports).toBeUndefined();
    expect(redis.networks).toEqual(['back']);
    expect(compose.networks['back']?.internal).toBe(true);
  });
});

describe('every service in docker-compose.yml', () => {
  it.each(all)('%s has no privileges and a file system it cannot change', (name, service) => {
    expect(service).not.toHaveProperty('privileged');
    expect(service.cap_add).toEqual(name === 'worker' ? ['SETUID', 'SETGID', 'KILL', 'CHOWN'] : undefined);
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toContain('no-new-privileges:true');
    expect(service.read_only).toBe(true);
    expect(service.init).toBe(true);
  });

  it.each(all)('%s is limited in memory, processes and logs, and comes back', (_, service) => {
    expect(parseMebibytes(service.mem_limit ?? '')).toBeGreaterThan(0);
    expect(service.pids_limit).toBeGreaterThan(0);
    expect(service.logging?.options).toEqual({ 'max-size': '10m', 'max-file': '3' });
    expect(service.restart).toBe('unless-stopped');
  });

  it.each(all)('%s mounts nothing of the host but its secrets', (_, service) => {
    for (const volume of service.volumes ?? []) expect(volume).toMatch(/^[a-z-]+:\//);
  });

  it.each(all)('%s has a health check, in the Compose file or in its image', (_, service) => {
    const stages = parseDockerfile(readFileSync(join(repository, service.build?.dockerfile ?? 'deploy/docker/Dockerfile'), 'utf8'));
    const stage = stages.find(({ name }) => name === service.build?.target);
    expect(service.healthcheck !== undefined || (stage !== undefined && instructionsOf(stage, 'HEALTHCHECK').length === 1)).toBe(true);
  });
});

describe('the API and the worker in docker-compose.yml', () => {
  it('the API is published on the loopback address only', () => {
    expect(api.ports).toEqual([`127.0.0.1:${optionTable.port.default}:${optionTable.port.default}`]);
  });

  it('the worker can be scaled: nothing of it exists once only', () => {
    for (const key of ['container_name', 'ports', 'hostname', 'mac_address']) expect(worker).not.toHaveProperty(key);
    expect(worker.environment).not.toHaveProperty(optionTable.nodeName.name);
    expect(worker.volumes).toBeUndefined();
  });

  it('the worker is given no API key', () => {
    expect(worker.secrets).toEqual(['redis_url', 'signing_key']);
  });

  it.each(ours)('%s waits for a healthy Redis', (_, service) => {
    expect(service.depends_on).toEqual({ redis: { condition: 'service_healthy' } });
  });

  it.each(ours)('%s is given longer to stop than it may take', (_, service) => {
    const drainSeconds = Number(service.environment?.[optionTable.drainSeconds.name] ?? optionTable.drainSeconds.default);
    expect(parseSeconds(service.stop_grace_period ?? '')).toBeGreaterThan(drainSeconds + STOP_GRACE_MS / 1_000);
  });

  it.each(ours)('%s has its secrets from files that exist in its container, never from the environment', (_, service) => {
    const secretNames: string[] = Object.values(optionTable).flatMap((option) => ('secret' in option ? [option.name] : []));
    for (const [name, value] of Object.entries(service.environment ?? {})) {
      expect(secretNames).not.toContain(name);
      if (!name.endsWith('_FILE')) continue;
      expect(secretNames).toContain(name.replace(/_FILE$/, ''));
      expect(service.secrets?.map((secret) => `/run/secrets/${secret}`)).toContain(value);
    }
  });

  it.each(ours)('%s has only settings that exist, with values that are accepted', (_, service) => {
    const plain = Object.entries(service.environment ?? {}).filter(([name]) => !name.endsWith('_FILE'));
    expect(loadConfig(Object.fromEntries(plain)).warnings).toEqual([]);
  });

  it('the worker has memory for the jobs of all its slots', () => {
    const jobsMb = Number(worker.environment?.[optionTable.poolMax.name]) * optionTable.maxMemoryMb.default;
    expect(parseMebibytes(worker.mem_limit ?? '')).toBeGreaterThan(jobsMb);
  });
});

/** dclint brings the specification's own schema along. */
function createValidator(): ValidateFunction {
  const path = join(dirname(require.resolve('dclint/package.json')), 'schemas', 'compose.schema.json');
  const schema = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  // Draft 7 by another spelling of its address than the one Ajv knows.
  delete schema['$schema'];
  return new Ajv({ strict: false, allErrors: true, formats: { duration: /^(\d+(us|ms|s|m|h))+$/ } }).compile(schema);
}
