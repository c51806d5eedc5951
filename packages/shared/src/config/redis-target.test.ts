import { describe, expect, it } from '@jest/globals';
import { loadConfig } from './load-config';
import { parseRedisTarget } from './redis-target';

const NONE = {
  username: undefined,
  password: undefined,
  database: 0,
  masterName: '',
  sentinelUsername: undefined,
  sentinelPassword: undefined,
};
const at = (...hosts: [string, number][]): { host: string; port: number }[] => hosts.map(([host, port]) => ({ host, port }));

describe('a connection string', () => {
  it.each([
    ['redis://localhost', { ...NONE, kind: 'server', tls: false, hosts: at(['localhost', 6379]) }],
    ['redis://[::1]:7000/2', { ...NONE, kind: 'server', tls: false, hosts: at(['::1', 7000]), database: 2 }],
    ['rediss://u%40x:p%2Fy%3A@redis.plant:6380/3', { ...NONE, kind: 'server', tls: true, hosts: at(['redis.plant', 6380]), username: 'u@x', password: 'p/y:', database: 3 }],
    ['redis://:p@h/', { ...NONE, kind: 'server', tls: false, hosts: at(['h', 6379]), password: 'p' }],
    [
      'redis+sentinel://u:p@a,b:26380,[::1]:5/plant/4?sentinelPassword=s%26&sentinelUsername=t',
      {
        kind: 'sentinel', tls: false, hosts: at(['a', 26379], ['b', 26380], ['::1', 5]), username: 'u', password: 'p', database: 4,
        masterName: 'plant', sentinelUsername: 't', sentinelPassword: 's&',
      },
    ],
    ['rediss+cluster://:p@a,b:7001', { ...NONE, kind: 'cluster', tls: true, hosts: at(['a', 6379], ['b', 7001]), password: 'p' }],
  ])('%s', (text, value) => {
    expect(parseRedisTarget(text)).toEqual({ ok: true, value });
  }); // prettier-ignore

  it.each([
    ['redis://', /must look like/], ['http://x', /must look like/], ['redis+proxy://x', /must look like/], ['redis://a b', /must look like/],
    ['redis://h:0', /must look like/], ['redis://h:65536', /must look like/], ['redis://h:x', /must look like/], ['redis://[::1', /must look like/],
    ['redis://a,b', /one host/], ['redis://secret@h', /password with the user/], ['redis://h/x', /number of the database/], ['redis://h/1/2', /number of the database/],
    ['redis://h?family=6', /no \?parameters/], ['redis://:%zz@h', /hexadecimal/], ['redis+sentinel://a,b', /name the master/],
    ['redis+sentinel://a/m?password=x', /but sentinelUsername and sentinelPassword/], ['redis+cluster://a/1', /must not name a database/], ['redis+cluster://a,,b', /must look like/],
  ])('%s stops the start with a message', (text, problem) => {
    expect(parseRedisTarget(text)).toEqual({ ok: false, problem: expect.stringMatching(problem) });
    expect(() => loadConfig({ REDIS_URL: text })).toThrow(problem);
  }); // prettier-ignore

  it('that is bad is not repeated, as it holds passwords', () => {
    for (const text of [
      'redis://user:hunter2@h:x',
      'redis://hunter2@h',
      'redis+sentinel://:hunter2@h',
      'redis://:hunter2%@h',
      'redis://:hunter2@h?x=hunter2',
    ])
      expect(JSON.stringify(parseRedisTarget(text))).not.toContain('hunter2');
  });
});

describe('TLS files', () => {
  it.each([
    [{ REDIS_TLS_CA: '/nonexistent' }, /REDIS_TLS_CA must be a file that can be read \(ENOENT\)/],
    [{ REDIS_TLS_CA: 'ca.crt' }, /REDIS_TLS_CA must be/],
    [{ REDIS_TLS_CERT: __filename }, /REDIS_TLS_CERT and REDIS_TLS_KEY must be set together/],
    [{ REDIS_TLS_CERT: __filename, REDIS_TLS_KEY: __filename }, /cannot be used/],
    [{ REDIS_TLS_VERIFY: 'no' }, /REDIS_TLS_VERIFY must be/],
  ])('%j', (environment, problem) => {
    expect(() => loadConfig(environment)).toThrow(problem);
  });
});
