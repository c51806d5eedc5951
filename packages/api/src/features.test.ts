import { describe, expect, it } from '@jest/globals';
import { isRoleAtLeast, ROLES, type Role } from '@python3-cluster/shared';
import { keyRing, useCluster } from '../test/use-cluster';
import type { Answer } from '../test/api-under-test';
import { sealSession } from './auth/session-seals';
import { listOperations, type NamedOperation } from './operations/feature';
import { features } from './features';

const { startCluster } = useCluster();
const operations = listOperations(features);

describe('the table of operations', () => {
  it('has every id, and every method of a path, once', () => {
    const keys = operations.flatMap(({ id, method, path }) => [id, `${method} ${path}`]);
    expect(keys.filter((key, position) => keys.indexOf(key) !== position)).toEqual([]);
  });

  it('lets nobody run or change anything without a key, but for sessions', () => {
    const open = operations.filter(({ access, effect }) => effect !== 'read' && (access === 'public' || access === 'metrics'));
    expect(open.map(({ id }) => id)).toEqual(['session.begin', 'session.end']);
  });

  it('asks at least an operator for a change, and a developer for a run', () => {
    const least: Record<string, Role> = { change: 'operator', run: 'developer' };
    const tooEasy = operations.filter(({ access, effect }) => {
      const role = least[effect];
      return role !== undefined && access !== 'public' && !(access !== 'metrics' && isRoleAtLeast(access, role));
    });
    expect(tooEasy).toEqual([]);
  });
});

describe('each operation, asked by each role', () => {
  it('answers 401 without a key, 403 below its role, and neither from its role on', async () => {
    const { call, origin } = await startCluster({ play: () => ({ value: Buffer.from('1') }) });
    const ask = (operation: NamedOperation, role: Role | undefined): Promise<Answer> =>
      call(operation.path.replace(':id', 'none'), {
        key: null,
        method: operation.method.toUpperCase(),
        headers: role === undefined ? {} : { cookie: cookieOf(role), origin, 'content-type': 'application/json' },
        ...(operation.body === 'json' && { body: '{}' }),
      });
    const seen: string[] = [];
    const due: string[] = [];
    for (const operation of operations.filter(({ id }) => !id.startsWith('session.')))
      for (const role of [undefined, ...ROLES]) {
        const title = `${operation.id} as ${role ?? 'nobody'}`;
        const { status, body } = await ask(operation, role);
        seen.push(`${title}: ${status === 401 || body?.code === ROLE || body?.error?.code === ROLE ? status : 'in'}`);
        due.push(`${title}: ${dueOf(operation, role)}`);
      }
    expect(seen).toEqual(due);
    expect(due.filter((line) => line.endsWith('403')).length).toBeGreaterThan(20);
  });
});

const ROLE = 'AUTH_ROLE_INSUFFICIENT';

function dueOf({ access }: NamedOperation, role: Role | undefined): 401 | 403 | 'in' {
  if (access === 'public') return 'in';
  if (role === undefined) return 401;
  return isRoleAtLeast(role, access === 'metrics' ? 'viewer' : access) ? 'in' : 403;
}

const cookieOf = (role: Role): string =>
  `python3_session=${sealSession(keyRing, 'cookie', { role, nonce: 'a'.repeat(22), expiresAt: Date.now() + 60_000 })}`;

describe('GET /api/v1/version', () => {
  it('tells what runs here', async () => {
    const { call } = await startCluster({
      play: () => ({ value: Buffer.from('1') }),
      environment: { PYTHON3_REVISION: '4f2c1ab' },
    });
    const { status, body } = await call('/api/v1/version');
    expect([status, body]).toEqual([
      200,
      {
        version: expect.stringMatching(/^\d+\.\d+\.\d+/),
        build: { revision: '4f2c1ab', node: process.versions.node },
        python: [expect.stringMatching(/^3\.\d+\.\d+$/)],
        protocols: { http: 'v1', wire: 1 },
      },
    ]);
  });
});
