import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { ADMIN_KEY, DEVELOPER_KEY, SIGNING_KEY, TestCluster } from '../support/test-cluster';
import { call, exec, execAsAdmin, legacy, runJob } from '../support/call';
import { TerminalSession } from '../support/terminal-session';
import { freePort } from '../support/test-redis';
import { waitFor } from '../support/wait-for';

const COMMAND = join(__dirname, '..', '..', 'packages', 'cli', 'bin', 'python3-cluster.js');

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

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly path?: string;
  readonly [name: string]: unknown;
}
const linesOf = (text: string): Line[] => text.trim().split('\n').map((line) => JSON.parse(line) as Line); // prettier-ignore

it('one line tells how a job ended: whose, where, with which labels, which program, how and how long', async () => {
  const labels = { line: '7', shift: 'night' };
  const jobs = [
    await runJob(cluster, { code: 'result = v', variables: { v: 'CANARY_1' }, labels }),
    await runJob(cluster, { code: 'result = v', variables: { v: 'CANARY_2' } }),
    await runJob(cluster, { code: 'raise KeyError("CANARY_3")' }),
  ].map((answer) => answer.json as { id: string; traceId: string });
  const text = await waitFor('the last line', () => {
    const log = cluster.workers[0]?.log() ?? '';
    return log.includes(`"jobId":"${jobs[2]?.id}"`) && log.includes('"errorType":"KeyError"') && log;
  });
  const finished = jobs.map(({ id }) => linesOf(text).filter(({ msg, jobId }) => msg === 'job finished' && jobId === id));
  expect(finished.map((lines) => lines.length)).toEqual([1, 1, 1]);
  const [first, second, third] = finished.map(([line]) => line);
  expect(first).toMatchObject({
    level: 'info', jobId: jobs[0]?.id, traceId: jobs[0]?.traceId, owner: expect.any(String), lane: 'default', labels, kind: 'exec',
    program: expect.stringMatching(/^code:[\w-]{43}$/), status: 'succeeded', isolation: 'fresh', attempts: 1,
    queuedMs: expect.any(Number), runMs: expect.any(Number), cpuMs: expect.any(Number),
  }); // prettier-ignore
  expect(second?.['program']).toBe(first?.['program']);
  expect(third).toMatchObject({ status: 'failed', errorType: 'KeyError' });
  expect(third?.['program']).not.toBe(first?.['program']);
  expect(text).not.toContain('CANARY');
});

it('probes and reads of figures are logged below info; what they are refused, and what runs or changes something, is not', async () => {
  const probes = ['/health', '/health/live', '/health/ready?lane=nobody', '/api/v1/workers', '/api/v1/metrics', '/api/v1/metrics/lanes', '/api/v1/alerts', '/api/v1/jobs?limit=1'];
  const headers = { 'x-request-id': 'of-this-test' };
  for (const path of probes) await call(cluster, path, undefined, { key: ADMIN_KEY, headers });
  await call(cluster, '/api/v1/workers', undefined, { key: 'x'.repeat(40), headers });
  const { json } = await runJob(cluster, { code: 'result = 1' }, { headers });
  await call(cluster, `/api/v1/jobs/${json.id as string}`, undefined, { headers });
  const requests = await waitFor('all to be logged', () => {
    const lines = linesOf(cluster.apis[0]?.log() ?? '').filter(({ msg, requestId }) => msg === 'request' && requestId === 'of-this-test');
    return lines.length >= probes.length + 3 && lines;
  });
  const pathsAt = (wanted: string): unknown[] => requests.filter(({ level }) => level === wanted).map(({ path }) => path);
  expect(pathsAt('debug')).toEqual(probes.map((path) => path.split('?')[0]));
  expect(pathsAt('info')).toEqual(['/api/v1/workers', '/api/v1/jobs', `/api/v1/jobs/${json.id as string}`]);
}); // prettier-ignore

it.each([['unsuccessful', ['failed']], ['none', []]])('PYTHON3_LOG_JOBS=%s', async (logJobs, expected) => {
  const quiet = await TestCluster.start({ settings: { PYTHON3_LOG_JOBS: logJobs } });
  try {
    for (const code of ['result = 1', 'raise KeyError(1)']) await runJob(quiet, { code });
    await quiet.workers[0]?.stop();
    expect(linesOf(quiet.workers[0]?.log() ?? '').filter(({ msg }) => msg === 'job finished').map(({ status }) => status)).toEqual(expected);
  } finally {
    await quiet.stop();
  }
}); // prettier-ignore

it.each([
  // eslint-disable-next-line no-control-regex -- they are what it is about
  ['text in colour on a terminal', {}, /\u001b\[32mINFO \u001b\[0m .*listening/],
  ['text without colours with NO_COLOR', { NO_COLOR: '1' }, /^\d\d:\d\d:\d\d\.\d{3} INFO {2}api {4}listening host=127\.0\.0\.1 port=\d+ version=/m],
  ['JSON where that is asked for', { PYTHON3_LOG_FORMAT: 'json' }, /^\{"level":"info",.*"msg":"listening"\}/m],
])('the log is %s', async (_, settings, expected) => {
  const environment = { PATH: process.env['PATH'], REDIS_URL: cluster.redisUrl, PYTHON3_NAMESPACE: cluster.namespace, PYTHON3_SIGNING_KEY: SIGNING_KEY, PORT: String(await freePort()), ...settings };
  const session = new TerminalSession({ columns: 200, rows: 30 }, [process.execPath, COMMAND, 'api'], environment);
  try {
    await waitFor('it to listen', () => expected.test(session.output.replaceAll('\r', '')));
    session.signal('SIGTERM');
    expect(await session.exited).toBe(0);
  } finally {
    session.end();
  }
}); // prettier-ignore

it('the log is text without colours in a file where that is asked for', async () => {
  const api = await cluster.startApi({ PYTHON3_LOG_FORMAT: 'text', PYTHON3_LOG_LEVEL: 'info' });
  await waitFor('it to listen', () => api.log().includes('listening'));
  expect(api.log()).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}api {4}/m);
  expect(api.log()).not.toContain('\u001b');
});
