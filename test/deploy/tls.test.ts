import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createSignInPath } from '@python3-cluster/api';
import { KeyRing, optionTable, STOP_GRACE_MS } from '@python3-cluster/shared';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { itIf } from '../support/optional';
import { DEVELOPER_KEY, SIGNING_KEY, spawnLogged, TestCluster, type TestProcess } from '../support/test-cluster';
import { freePort } from '../support/test-redis';
import { waitFor } from '../support/wait-for';
import { loadComposeFile, parseSeconds, repository, type ComposeService } from './compose-file';

const text = readFileSync(join(repository, 'docker-compose.tls.yml'), 'utf8');
const file = parse(text.replace(/\$\{\w+:-([^}]*)\}/g, '$1')) as { services: { proxy: ComposeService }; volumes: object };
const { proxy } = file.services;

describe('docker-compose.tls.yml', () => {
  it('is valid beside docker-compose.yml, whose API it leaves on the loopback address', () => {
    const compose = loadComposeFile();
    const merged = { ...compose, services: { ...compose.services, proxy }, volumes: { ...compose.volumes, ...file.volumes } };
    const schema = JSON.parse(readFileSync(join(dirname(require.resolve('dclint/package.json')), 'schemas', 'compose.schema.json'), 'utf8')) as Record<string, unknown>;
    delete schema['$schema'];
    const validate = new Ajv({ strict: false, allErrors: true, formats: { duration: /^(\d+(us|ms|s|m|h))+$/ } }).compile(schema);
    validate(merged);
    expect(validate.errors ?? []).toEqual([]);
    for (const network of proxy.networks ?? []) expect(compose.services.api.networks).toContain(network);
  }); // prettier-ignore

  it('has no privileges, limits, a version that is named, and no way to Redis', () => {
    expect(proxy).toMatchObject({ cap_drop: ['ALL'], read_only: true, init: true, restart: 'unless-stopped', image: expect.stringMatching(/:\d+\.\d+\.\d+$/) });
    expect(proxy).not.toHaveProperty('cap_add');
    expect(proxy.security_opt).toContain('no-new-privileges:true');
    expect(proxy.networks).toEqual(['front']);
    expect(proxy.ports).toEqual(['443:8443']);
    expect(parseSeconds(proxy.stop_grace_period ?? '')).toBeGreaterThan(optionTable.drainSeconds.default + STOP_GRACE_MS / 1_000);
  }); // prettier-ignore
});

const program = process.env['PYTHON3_TEST_CADDY'] ?? 'caddy';
const itWithCaddy = itIf(spawnSync(program, ['version']).status === 0, 'no caddy here');

describe('deploy/caddy/Caddyfile', () => {
  const config = join(repository, 'deploy', 'caddy', 'Caddyfile');
  const data = mkdtempSync(join(tmpdir(), 'p3-caddy-'));
  let cluster: TestCluster | undefined;
  let caddy: TestProcess | undefined;
  let port = 0;
  let site = '';

  beforeAll(async () => {
    if (spawnSync(program, ['version']).status !== 0) return;
    cluster = await TestCluster.start();
    port = await freePort();
    site = `https://localhost:${port}`;
    // The one port that Compose maps is fixed in the file.
    const adapted = spawnSync(program, ['adapt', '--adapter', 'caddyfile', '--config', config], { env: { PATH: process.env['PATH'], PYTHON3_API: new URL(cluster.url()).host }, encoding: 'utf8' });
    writeFileSync(join(data, 'config.json'), adapted.stdout.replaceAll(':8443', `:${port}`));
    caddy = spawnLogged(program, ['run', '--config', join(data, 'config.json')], { PATH: process.env['PATH'], XDG_DATA_HOME: data, XDG_CONFIG_HOME: data, HOME: data });
    await waitFor('it to serve', async () => (await get('/health/live').catch(() => undefined))?.status === 200);
  }, 60_000); // prettier-ignore
  afterAll(async () => {
    await caddy?.stop();
    await cluster?.stop();
    rmSync(data, { recursive: true, force: true });
  });

  interface Got {
    readonly status: number;
    readonly headers: Record<string, string | string[] | undefined>;
    readonly text: string;
  }

  /** Believes Caddy's own authority, and nobody else. */
  async function get(path: string, options: { method?: string; headers?: Record<string, string>; body?: string } = {}): Promise<Got> {
    const ca = readFileSync(join(data, 'caddy', 'pki', 'authorities', 'local', 'root.crt'));
    return new Promise((resolve, reject) => {
      const sent = request(site + path, { ca, method: options.method ?? 'GET', headers: options.headers ?? {} }, (response) => {
        let received = '';
        response.on('data', (chunk: Buffer) => (received += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: received }));
      });
      sent.on('error', reject).end(options.body);
    });
  }

  itWithCaddy('runs jobs through TLS, with the API’s own headers', async () => {
    const headers = { authorization: `Bearer ${DEVELOPER_KEY}`, 'content-type': 'application/json', prefer: 'wait=10' };
    const answer = await get('/api/v1/jobs', { method: 'POST', headers, body: '{"code": "result = 2 ** 53 + 1"}' });
    expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('"value":9007199254740993')]);
    expect(answer.headers['content-security-policy']).toContain("default-src 'self'");
  });

  itWithCaddy('signs a browser in and out, by a cookie that travels encrypted only', async () => {
    const link = createSignInPath(new KeyRing(SIGNING_KEY), 'admin');
    const signedIn = await get(link);
    const [cookie = ''] = [signedIn.headers['set-cookie'] ?? []].flat();
    expect([signedIn.status, signedIn.headers['location']]).toEqual([303, '/']);
    expect(cookie).toMatch(/HttpOnly.*; Secure$/i);
    const session = { cookie: cookie.split(';')[0] ?? '' };
    expect((await get('/', { headers: session })).text).toContain('Signed in as <strong>admin</strong>');
    const signOut = (origin: string) => get('/sign-out', { method: 'POST', headers: { ...session, origin } });
    expect((await signOut('https://evil.example')).status).toBe(403);
    expect((await signOut(site)).status).toBe(303);
  });
});
