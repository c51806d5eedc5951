import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { ADMIN_KEY, DEVELOPER_KEY, SIGNING_KEY, TestCluster } from '../support/test-cluster';
import { call, exec, execAsAdmin, legacy } from '../support/call';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start({ settings: { PYTHON3_LOG_LEVEL: 'trace' } });
});
afterAll(() => cluster.stop());

it('logs tell request and job ids, and never code, values, output or keys, at any level', async () => {
  const canaries = ['CANARY_CODE', 'CANARY_VARIABLE', 'CANARY_OUTPUT', 'CANARY_ERROR', 'CANARY_VALUE', 'CANARY_QUERY'];
  const code = 'x = "CANARY_CODE"\nprint("CANARY_OUT" + "PUT")\nresult = "CANARY_" + "VALUE" + v';
  const good = await exec(cluster, code, { v: 'CANARY_VARIABLE' }, { headers: { 'x-request-id': 'request-of-the-test' } });
  expect(good.json.result).toBe('CANARY_VALUECANARY_VARIABLE');
  await exec(cluster, 'raise ValueError("CANARY_ERROR")');
  await exec(cluster, 'CANARY_CODE (');
  await execAsAdmin(cluster, 'import os\nos.write(2, b"CANARY_OUTPUT")\nos._exit(1)');
  await legacy(cluster, 'exec', '{"code": CANARY_CODE');
  await call(cluster, '/api/v1/jobs?key=CANARY_QUERY', { code: 'CANARY_CODE' });
  await call(cluster, '/api/v1/jobs', { code: 'x' }, { key: 'CANARY_VALUE'.repeat(3) });

  const log = [...cluster.apis, ...cluster.workers].map((started) => started.log()).join('\n');
  expect(log).toContain('"requestId":"request-of-the-test"');
  expect(log.split(`"jobId":"${good.json.jobId as string}"`).length).toBeGreaterThan(2);
  for (const secret of [...canaries, ADMIN_KEY, DEVELOPER_KEY, SIGNING_KEY])
    expect({ secret, logged: log.includes(secret) }).toEqual({ secret, logged: false });
});

it('every line of the log is one JSON object', () => {
  for (const started of [...cluster.apis, ...cluster.workers]) {
    const lines = started.log().trim().split('\n');
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ time: expect.any(String), service: expect.any(String), msg: expect.any(String) });
  }
});
