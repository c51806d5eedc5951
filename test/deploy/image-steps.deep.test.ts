import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { spawnLogged, type TestProcess } from '../support/test-cluster';
import { freePort } from '../support/test-redis';
import { waitFor } from '../support/wait-for';
import { BuildContext } from './build-context';
import { loadComposeFile, repository, type ComposeService } from './compose-file';
import { environmentOf, execForm, parseDockerfile, type Stage } from './dockerfile';
import { buildStage } from './image-builder';

/**
 * Stands in for `docker compose up` where no engine runs: the Dockerfile's steps in a clean folder, then what the images
 * and the Compose file say to start, with the environment, the users and the health checks they name. What only an engine
 * does (base images, apt, networks, capabilities, limits) is not covered.
 */
const registry = npm(['view', 'typescript', 'version', '--fetch-retries=0', '--fetch-timeout=15000'], repository);
const describeOnline = registry.status === 0 ? describe : describe.skip;
if (registry.status !== 0) console.warn('skipped: the images’ build steps, as the npm registry cannot be reached');

const compose = loadComposeFile();
const stages = parseDockerfile(readFileSync(join(repository, 'deploy/docker/Dockerfile'), 'utf8'));
const redisCommand = JSON.parse(process.env['PYTHON3_TEST_REDIS'] ?? '{"file":"redis-server","env":{}}') as RedisCommand;
const redisCli = findRedisCli();

describeOnline('the steps of the images, in a clean folder', () => {
  const folder = join(tmpdir(), `p3-images-${randomBytes(5).toString('hex')}`);
  const secrets = join(folder, '.data', 'compose-secrets');
  const processes: TestProcess[] = [];
  let redisPort: number;
  let apiPort: number;
  let metricsPort: number;
  let api: TestProcess;
  let worker: TestProcess;

  beforeAll(async () => {
    // The images' users must reach it, as they reach /app.
    mkdirSync(folder, { mode: 0o755 });
    new BuildContext(readFileSync(join(repository, '.dockerignore'), 'utf8')).copy(repository, join(folder, 'context'));
    // The lockfile says which packages: what npm has of them it need not ask for again.
    const environment = { ...cleanEnvironment(), npm_config_prefer_offline: 'true' };
    const images = { contextFolder: join(folder, 'context'), imagesFolder: folder, environment };
    for (const stage of stages) buildStage(stage, { ...images, runs: ({ name }) => name === 'build' });
    runMakeSecrets();
    redisPort = await freePort();
    apiPort = await freePort();
  }, 300_000);

  afterAll(async () => {
    await Promise.all(processes.map((started) => started.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  it('the images hold no sources, no compiler and no tests', () => {
    for (const name of ['api', 'worker']) {
      const app = join(folder, name, 'app');
      const modules = readdirSync(join(app, 'node_modules'));
      expect(['typescript', '@swc', 'jest'].filter((name) => modules.includes(name))).toEqual([]);
      const files = readdirSync(join(app, 'packages'), { recursive: true, encoding: 'utf8' }).filter(
        (path) => !path.includes('node_modules'),
      );
      expect(files.filter((path) => /\/src(\/|$)|\.test\./.test(path))).toEqual([]);
    }
  });

  it('make-secrets.sh makes each secret that the Compose file mounts, and a second run changes none', () => {
    const files = Object.values(compose.secrets).map(({ file }) => join(folder, file));
    const read = (): string[] => files.map((file) => readFileSync(file, 'utf8'));
    const before = read();
    runMakeSecrets();
    expect(read()).toEqual(before);
    expect(statSync(secrets).mode & 0o777).toBe(0o700);
    for (const file of files) expect(statSync(file).mode & 0o777).toBe(0o444);
    expect(readdirSync(secrets).sort()).toEqual([
      'admin.key',
      'developer.key',
      'grafana.password',
      'metrics.token',
      'redis.conf',
      'redis.password',
      'redis.url',
      'signing.key',
    ]);
    for (const key of ['admin.key', 'developer.key', 'grafana.password', 'metrics.token', 'signing.key'])
      expect(readFileSync(join(secrets, key), 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
  });

  it('Redis starts with the arguments of the Compose file', async () => {
    const data = join(folder, 'redis-data');
    mkdirSync(data);
    const [, ...args] = (compose.services.redis.command ?? []).map((argument) => (argument === '/data' ? data : mapSecret(argument)));
    const link = join(folder, 'redis-server');
    // Some packages' server is a program under another name, which looks at what it was called as.
    symlinkSync(findOnPath(redisCommand.file) ?? redisCommand.file, link);
    const server = spawnLogged(link, [...args, '--port', `${redisPort}`, '--bind', '127.0.0.1'], {
      ...cleanEnvironment(),
      ...redisCommand.env,
    });
    processes.push(server);
    const redis = new Redis(redisPort, '127.0.0.1', {
      password: secret('redis.password'),
      maxRetriesPerRequest: 100,
      retryStrategy: () => 50,
    });
    redis.on('error', () => undefined);
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    expect(await redis.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    expect(await redis.config('GET', 'save')).toEqual(['save', '']);
    redis.disconnect();
    const stranger = new Redis(redisPort, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null });
    stranger.on('error', () => undefined);
    await expect(stranger.ping()).rejects.toThrow('NOAUTH');
    stranger.disconnect();
  });

  (redisCli === undefined ? it.skip : it)('the health check of Redis passes, and fails with a wrong password', () => {
    const [, script = ''] = compose.services.redis.healthcheck?.test ?? [];
    const check = (text: string): number | null => {
      const command = mapSecret(text).replace('redis-cli', `'${redisCli}' -p ${redisPort}`);
      return spawnSync('/bin/sh', ['-c', command], { env: { ...cleanEnvironment(), ...redisCommand.env } }).status;
    };
    expect(check(script)).toBe(0);
    expect(check(script.replace('redis_password', 'signing_key'))).toBe(1);
  });

  it('the API and the worker start, as the images’ users if the tests may become them, and run a job', async () => {
    // On the host the service `redis` is a name of nobody.
    writeSecret('redis.url', secret('redis.url').replace('redis:6379', `127.0.0.1:${redisPort}`));
    letImagesUsersRead();
    api = start('api', { PORT: `${apiPort}`, HOST: '127.0.0.1' });
    metricsPort = await freePort();
    // In a container it has addresses of its own; here, the loopback one has to do.
    worker = start('worker', { PYTHON3_WORKER_METRICS_PORT: `${metricsPort}`, PYTHON3_WORKER_METRICS_HOST: '127.0.0.1' });
    await waitFor('the API to listen', () => (assertRunning(api, worker), answers()), 30_000);
    const answer = await waitFor(
      'the first answer',
      () => (assertRunning(api, worker), exec('import math; result = math.factorial(20)')),
      30_000,
    );
    for (const [name, { pid }] of Object.entries({ api, worker })) expect(uidOf(pid)).toBe(expectedUid(name, folder));
    expect(answer).toMatchObject({ success: true, result: 2432902008176640000n.toString() });
  }, 90_000);

  it('a key is needed', async () => {
    const response = await fetch(`http://127.0.0.1:${apiPort}/data/python3integration/api/v1/exec`, {
      method: 'POST',
      body: '{"code":"1"}',
      headers: { 'content-type': 'application/json' },
    });
    expect(response.status).toBe(401);
  });

  it('both tell their figures to whom has the token that Prometheus is given, and to nobody else', async () => {
    for (const port of [apiPort, metricsPort]) {
      const scrape = (token: string): Promise<Response> =>
        fetch(`http://127.0.0.1:${port}/metrics`, { headers: { authorization: `Bearer ${token}` } });
      const answer = await scrape(secret('metrics.token'));
      expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('process_uptime_seconds')]);
      expect((await scrape(secret('grafana.password'))).status).toBe(401);
    }
  });

  it('both health checks pass', () => {
    expect(checkHealth('api')).toEqual({ status: 0, output: '' });
    expect(checkHealth('worker')).toEqual({ status: 0, output: '' });
  }, 30_000);

  it('both end with exit code 0 on SIGTERM, within the grace period', async () => {
    expect(await worker.stop()).toBe(0);
    expect(await api.stop()).toBe(0);
  }, 30_000);

  it('then both health checks fail and say why', () => {
    expect(checkHealth('api')).toEqual({ status: 1, output: expect.stringContaining('unhealthy: ') });
    expect(checkHealth('worker')).toEqual({ status: 1, output: 'unhealthy: no Redis, or no growing heartbeat of this node in it\n' });
  }, 30_000);

  function start(name: 'api' | 'worker', changes: Record<string, string>): TestProcess {
    const stage = stageNamed(name);
    const [program = '', ...args] = inImage(name, [...execForm(stage, 'ENTRYPOINT'), ...execForm(stage, 'CMD')]);
    const started = spawnLogged(program, args, { ...environmentFor(name), ...changes }, join(folder, name, 'app'));
    processes.push(started);
    return started;
  }

  function checkHealth(name: 'api' | 'worker'): { status: number | null; output: string } {
    const [program = '', ...args] = inImage(name, execForm(stageNamed(name), 'HEALTHCHECK'));
    const { status, stderr, stdout } = spawnSync(program, args, {
      env: { ...environmentFor(name), PORT: `${apiPort}` },
      cwd: join(folder, name, 'app'),
      encoding: 'utf8',
    });
    return { status, output: stdout + stderr };
  }

  /** The image's paths in our folder, and its user where the tests may become another. */
  function inImage(name: string, words: readonly string[]): string[] {
    const [program, ...args] = words.map((word) =>
      word === 'node' ? process.execPath : word.replace(/^\/app\//, join(folder, name, 'app/')),
    );
    const [uid = '', gid = ''] =
      stageNamed(name)
        .instructions.find(({ word }) => word === 'USER')
        ?.text.split(':') ?? [];
    return [...becomeUser(uid, gid, folder), program ?? '', ...args];
  }

  function environmentFor(name: 'api' | 'worker'): NodeJS.ProcessEnv {
    const service: ComposeService = compose.services[name];
    const fromCompose = Object.entries(service.environment ?? {}).map(([key, value]) => [key, mapSecret(value)]);
    const temporary = join(folder, `${name}-tmp`);
    mkdirSync(temporary, { recursive: true });
    chmodSync(temporary, 0o1777);
    return {
      PATH: process.env['PATH'],
      TMPDIR: temporary,
      ...environmentOf(stageNamed(name)),
      ...Object.fromEntries(fromCompose),
      ...pythonPath(name),
    };
  }

  async function exec(code: string): Promise<Record<string, unknown> | undefined> {
    const response = await fetch(`http://127.0.0.1:${apiPort}/data/python3integration/api/v1/exec`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret('developer.key')}`, 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    });
    // Until the worker node has registered, the API answers that nobody serves the lane.
    if (response.status === 503) return undefined;
    return JSON.parse((await response.text()).replace(/"result":\s*(\d+)/, '"result":"$1"')) as Record<string, unknown>;
  }

  const answers = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${apiPort}/health/live`).then(
      ({ ok }) => ok,
      () => false,
    );

  function runMakeSecrets(): void {
    const script = 'deploy/docker/make-secrets.sh';
    cpSync(join(repository, script), join(folder, script));
    const { status, stderr } = spawnSync('sh', [script], { cwd: folder, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  }

  function mapSecret(text: string): string {
    return text.replace(/\/run\/secrets\/(\w+)/g, (_, name: string) => join(folder, compose.secrets[name]?.file ?? `missing-${name}`));
  }

  function secret(file: string): string {
    return readFileSync(join(secrets, file), 'utf8').trim();
  }

  function writeSecret(file: string, text: string): void {
    rmSync(join(secrets, file));
    writeFileSync(join(secrets, file), `${text}\n`, { mode: 0o444 });
  }

  /** An engine mounts the files past their folder; here the images' users have to walk through it. */
  function letImagesUsersRead(): void {
    chmodSync(join(folder, '.data'), 0o711);
    chmodSync(secrets, 0o711);
  }
});

interface RedisCommand {
  readonly file: string;
  readonly env: Record<string, string>;
}

function stageNamed(name: string): Stage {
  const stage = stages.find((candidate) => candidate.name === name);
  if (stage === undefined) throw new Error(`no stage ${name}`);
  return stage;
}

/** Without what npm and Jest add to the environment of their scripts. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const added =
    /^(npm_(lifecycle|package|command|execpath|node_execpath|config_(local_prefix|prefix|noproxy))|INIT_CWD$|NODE_ENV$|NODE_PATH$|JEST_|PYTHON3_)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !added.test(name)));
}

function npm(args: readonly string[], cwd: string): { status: number | null } {
  return spawnSync('npm', args, { cwd, env: cleanEnvironment(), stdio: 'ignore', timeout: 60_000 });
}

const uidOf = (pid: number): number => statSync(`/proc/${pid}`).uid;

/** Where it is the image's, the program folder cannot be written either, as it is root's. */
function expectedUid(name: string, folder: string): number {
  const [uid = '', gid = ''] = userOf(name);
  return becomeUser(uid, gid, folder).length > 0 ? Number(uid) : (process.getuid?.() ?? -1);
}

function userOf(name: string): string[] {
  return (
    stageNamed(name)
      .instructions.find(({ word }) => word === 'USER')
      ?.text.split(':') ?? []
  );
}

/** Needs root, and a Node that other users can run. Else the tests' own user has to do. */
function becomeUser(uid: string, gid: string, cwd: string): string[] {
  const command = [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--no-new-privs',
    // As docker-compose.yml has it: nothing, and four for the image that runs as root.
    `--bounding-set=-all${uid === '0' ? ',+setuid,+setgid,+kill,+chown' : ''}`,
    '--inh-caps=-all',
  ];
  const [file = '', ...args] = command;
  return process.getuid?.() === 0 && spawnSync(file, [...args, process.execPath, '-e', ''], { cwd }).status === 0 ? command : [];
}

/** The image's interpreter where the host has it in the same place, else the tests' own. */
function pythonPath(name: string): Record<string, string> {
  const wanted = environmentOf(stageNamed(name))['PYTHON3_PATH'];
  if (wanted === undefined) return {};
  const isFit = spawnSync(wanted, ['-c', 'import sys; sys.exit(sys.version_info < (3, 11))']).status === 0;
  if (isFit) return {};
  const python = JSON.parse(process.env['PYTHON3_TEST_PYTHON'] ?? '{"file":"","env":{}}') as { file: string; env: Record<string, string> };
  return { PYTHON3_PATH: python.file, ...python.env };
}

function findOnPath(program: string): string | undefined {
  if (program.includes('/')) return program;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((path) => join(path, program)).find((path) => existsSync(path));
}

function findRedisCli(): string | undefined {
  const beside = join(dirname(redisCommand.file), 'redis-cli');
  return redisCommand.file.includes('/') && existsSync(beside) ? beside : findOnPath('redis-cli');
}

function assertRunning(...processes: readonly TestProcess[]): void {
  for (const { process: child, log } of processes)
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${log()}`);
}
