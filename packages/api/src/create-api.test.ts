import { describe, expect, it } from '@jest/globals';
import { createRedisKeys, KeyRing, sealOutcome } from '@python3-cluster/shared';
import { ADMIN_KEY, LEGACY } from '../test/api-under-test';
import { post, useCluster } from '../test/use-cluster';
import { waitFor } from '../../../test/support/wait-for';

const { redis, startCluster } = useCluster();

describe('an API replica with a worker node', () => {
  it('runs exec from the request to the answer, and the value is the bytes Python wrote', async () => {
    const payloads: string[] = [];
    const { call } = await startCluster({
      play: (_job, payload) => {
        payloads.push(payload.toString());
        return { value: Buffer.from('[9007199254740993,1.0,"\\ud800"]'), stdout: Buffer.from('printed\n') };
      },
    });
    const answer = await call(`${LEGACY}/exec`, post('{"code": "result = x", "variables": {"x": 9007199254740993, "y": 1e400, "x": 1.0}}'));
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('"success":true,"result":[9007199254740993,1.0,"\\ud800"],"stdout":"printed\\n"');
    expect(answer.body).toMatchObject({
      status: 'succeeded',
      executionTimeMs: 2,
      truncated: false,
      traceId: answer.headers.get('x-trace-id'),
      stderr: '',
    });
    expect(payloads).toEqual(['{"code":"result = x","variables":{"x": 9007199254740993, "y": 1e400, "x": 1.0}}']);
  });

  it('finds an outcome whose announcement was dropped', async () => {
    const { call } = await startCluster({ play: () => ({ value: Buffer.from('2') }), delivery: { publish: null } });
    const startedAt = performance.now();
    const answer = await call(`${LEGACY}/eval`, post('{"expression": "1+1"}'));
    expect(answer.body).toMatchObject({ success: true, result: 2 });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  it('fetches an outcome too large to be announced', async () => {
    const text = JSON.stringify('x'.repeat(3_000_000));
    const { call } = await startCluster({ play: () => ({ value: Buffer.from(text) }) });
    const answer = await call(`${LEGACY}/eval`, post('{"expression": "1"}'));
    expect(answer.body.result).toHaveLength(3_000_000);
  });

  it('keeps a large payload beside the queue', async () => {
    const { call } = await startCluster({ play: (_job, payload) => ({ value: Buffer.from(String(payload.length)) }) });
    const answer = await call(`${LEGACY}/eval`, post(JSON.stringify({ expression: '1', variables: { x: 'x'.repeat(200_000) } })));
    expect(answer.body.result).toBeGreaterThan(200_000);
  });

  it('ignores a forged announcement and answers with the signed record', async () => {
    const { call } = await startCluster({
      play: () => ({ value: Buffer.from('"true"') }),
      delivery: {
        publish: (id) => Buffer.from(`${id}\n1.000000000000.${'A'.repeat(43)}\n{"outcome":{"worker":"played"},"bytes":[0,0,0]}\n`),
      },
    });
    const answer = await call(`${LEGACY}/eval`, post('{"expression": "1"}'));
    expect(answer.body).toMatchObject({ success: true, result: 'true' });
  });

  it('does not believe a stored outcome signed with another key', async () => {
    const foreign = new KeyRing('a key that is not the key of this cluster');
    const { call } = await startCluster({
      play: () => ({ value: Buffer.from('1') }),
      delivery: { seal: (_ring, parts) => sealOutcome(foreign, parts) },
    });
    const legacy = await call(`${LEGACY}/eval`, post('{"expression": "1"}'));
    expect(legacy.status).toBe(502);
    expect(legacy.body).toMatchObject({ success: false, code: 'OUTCOME_UNVERIFIED' });
    const modern = await call('/api/v1/jobs', { ...post('{"code": "1"}'), headers: { prefer: 'wait=5' } });
    expect(modern.body.error.code).toBe('OUTCOME_UNVERIFIED');
  });

  it('answers failures of the code with 200 in the words of the predecessor', async () => {
    const outcomes: Record<string, object> = {
      raise: { status: 'failed', error: { type: 'KeyError', message: "'a'", line: 1, traceback: 'Traceback …\n' } },
      policy: {
        status: 'failed',
        error: { type: 'SecurityError', message: "SECURITY ERROR: Security violation: Import of 'os' …", line: 1, traceback: '' },
      },
      slow: { status: 'timed_out' },
      big: { status: 'out_of_memory' },
      hot: { status: 'cpu_exceeded' },
    };
    const { call } = await startCluster({
      play: (_job, payload) => ({
        outcome: outcomes[(JSON.parse(payload.toString()) as { code: string }).code] as never,
      }),
    });
    const errorOf = async (code: string): Promise<unknown> => {
      const answer = await call(`${LEGACY}/exec`, post(JSON.stringify({ code, timeoutMs: 1_500, memoryMb: 64, cpuSeconds: 2 })));
      expect(answer.status).toBe(200);
      expect(answer.body.success).toBe(false);
      return answer.body.error;
    };
    expect(await errorOf('raise')).toBe("Python error: KeyError: 'a'\nTraceback …\n");
    expect(await errorOf('policy')).toBe("Python error: SECURITY ERROR: Security violation: Import of 'os' …\n");
    expect(await errorOf('slow')).toBe('Failed to execute Python code: timed out after 1500 ms (timeout: 1500ms)');
    expect(await errorOf('big')).toBe('Failed to execute Python code: memory limit of 64 MB exceeded');
    expect(await errorOf('hot')).toBe('Failed to execute Python code: CPU limit of 2 seconds exceeded');
  });

  it('answers rejected and expired jobs with 503', async () => {
    const outcomes: Record<string, object> = {
      busy: { status: 'rejected', error: { type: 'POOL_BUSY', message: 'No Python executor available', line: null, traceback: '' } },
      forged: { status: 'rejected', error: { type: 'JOB_SIGNATURE_INVALID', message: 'bad', line: null, traceback: '' } },
      late: { status: 'expired' },
    };
    const { call } = await startCluster({
      play: (_job, payload) => ({
        outcome: outcomes[(JSON.parse(payload.toString()) as { code: string }).code] as never,
      }),
    });
    const answerTo = (code: string): ReturnType<typeof call> => call(`${LEGACY}/exec`, post(JSON.stringify({ code })));
    const busy = await answerTo('busy');
    expect([busy.status, busy.body.code, busy.headers.get('retry-after')]).toEqual([503, 'POOL_BUSY', '5']);
    expect((await answerTo('late')).body.code).toBe('POOL_BUSY');
    const forged = await answerTo('forged');
    expect([forged.status, forged.body.code]).toEqual([503, 'JOB_SIGNATURE_INVALID']);
  });

  it('serves the other routes of the predecessor', async () => {
    const { call } = await startCluster({
      play: (job) => ({
        value: Buffer.from(job.kind === 'check' ? '{"errors": [{"line": 1}]}' : '1267650600228229401496703205376'),
      }),
    });
    const get = async (name: string): Promise<unknown> => (await call(`${LEGACY}/${name}`)).body;
    expect(await get('example')).toEqual({ success: true, result: 'Python 3 is working! 2^100 = 1267650600228229401496703205376' });
    expect(await get('version')).toMatchObject({ version: '3.11.2 (main)', pythonVersion: '3.11.2', available: true });
    expect(await get('pool-stats')).toEqual({ totalSize: 3, poolSize: 3, available: 2, inUse: 1, healthy: 3 });
    expect(await get('health')).toMatchObject({ healthy: true, available: true, status: 'HEALTHY' });
    expect(await get('diagnostics')).toMatchObject({
      available: true,
      distributionInfo: { pythonPath: '/usr/bin/python3', pythonDir: '/usr/bin', autoDownload: false },
    });
    expect((await call(`${LEGACY}/check-syntax`, post('{"code": "("}'))).body).toEqual({ success: true, errors: [{ line: 1 }] });
    expect((await call(`${LEGACY}/check-syntax`, post('{"code": " "}'))).body).toEqual({ success: true, errors: [] });
    const string = await call(`${LEGACY}/call-module`, {
      ...post('{"module": "math", "function": "f", "args": null}'),
      headers: { 'x-python3-legacy-result': 'string' },
    });
    expect(string.body.result).toBe('1267650600228229401496703205376');
    const scripts = await call(`${LEGACY}/scripts/list`);
    expect([scripts.status, scripts.body.code, scripts.body.success]).toEqual([404, 'ROUTE_NOT_FOUND', false]);
  });

  it('passes mode, limits, delivery and trace on to the signed job', async () => {
    const { call, worker } = await startCluster({ play: () => ({ value: Buffer.from('1') }) });
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const answer = await call('/api/v1/jobs', {
      ...post('{"code": "1", "mode": "admin", "timeoutMs": 20, "resultTtlSeconds": 60}'),
      key: ADMIN_KEY,
      headers: { prefer: 'wait=5', traceparent },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('preference-applied')).toBe('wait=5');
    expect(answer.body).toMatchObject({
      state: 'finished',
      mode: 'admin',
      level: 'D',
      traceId: '0af7651916cd43dd8448eb211c80319c',
      outcome: { status: 'succeeded', value: 1 },
      worker: 'played',
    });
    expect(worker?.taken[0]).toMatchObject({
      mode: 'admin',
      owner: 'key:admin',
      delivery: 'at-least-once',
      startBefore: null,
      resultTtlMs: 60_000,
      traceparent,
      limits: { timeoutMs: 20, memoryMb: 512 },
    });
    await call(`${LEGACY}/exec`, { ...post('{"code": "1"}'), key: null, headers: { 'x-admin-mode': 'TRUE', 'x-api-key': ADMIN_KEY } });
    expect(worker?.taken[1]).toMatchObject({ mode: 'admin', delivery: 'at-most-once' });
    expect(worker?.taken[1]?.startBefore).toBeGreaterThan(Date.now());
  });

  it('shows a job to its owner and to admins, and to nobody else', async () => {
    const { call } = await startCluster({ play: () => ({ value: Buffer.from('1.0') }) });
    const accepted = await call('/api/v1/jobs', { ...post('{"expression": "1"}'), key: ADMIN_KEY });
    const own = await call('/api/v1/jobs', post('{"expression": "1"}'));
    expect(accepted.status).toBe(202);
    const location = accepted.headers.get('location') ?? '';
    expect(location).toBe(`/api/v1/jobs/${accepted.body.id}`);
    await waitFor('the cluster', async () => (await call(location, { key: ADMIN_KEY })).body.state === 'finished');
    expect((await call(location, { key: ADMIN_KEY })).text).toContain('"value":1.0,');
    const foreign = await call(location);
    expect([foreign.status, foreign.body.error.code]).toEqual([404, 'JOB_NOT_FOUND']);
    expect((await call(`/api/v1/jobs/${own.body.id}`, { key: ADMIN_KEY })).status).toBe(200);
    expect((await call(`/api/v1/jobs/${own.body.id}`)).status).toBe(200);
    expect((await call('/api/v1/jobs/no-such-job')).body.error.code).toBe('JOB_NOT_FOUND');
  });

  it('does not believe a record whose head was changed', async () => {
    const { call, namespace } = await startCluster({ play: () => undefined });
    const { body } = await call('/api/v1/jobs', post('{"code": "1"}'));
    const client = redis().connect();
    await client.hset(createRedisKeys(namespace).jobRecord('default', body.id), 'job', 'forged');
    client.disconnect();
    expect((await call(`/api/v1/jobs/${body.id}`)).body.error.code).toBe('OUTCOME_UNVERIFIED');
  });

  it('answers 202 when a preferred wait is over, and the job goes on', async () => {
    const { call } = await startCluster({ play: () => undefined });
    const answer = await call('/api/v1/jobs', { ...post('{"code": "1"}'), headers: { prefer: 'wait=1' } });
    expect([answer.status, answer.body.state, answer.body.outcome]).toEqual([202, 'active', null]);
    expect(answer.headers.get('location')).toContain(answer.body.id);
  });

  it('answers 504 with the job id when a started job gives no outcome in time, and has it cancelled', async () => {
    const { call, namespace } = await startCluster({ play: () => undefined, environment: { PYTHON3_QUEUE_WAIT_SECONDS: '1' } });
    const answer = await call(`${LEGACY}/exec`, post('{"code": "1", "timeoutMs": 10}'));
    expect([answer.status, answer.body.code]).toEqual([504, 'OUTCOME_UNKNOWN']);
    expect(answer.body.jobId).toMatch(/^default\./);
    expect((await call(`/api/v1/jobs/${answer.body.jobId}`)).body.cancelRequestedAt).toBeLessThanOrEqual(Date.now());
    const client = redis().connect();
    expect(await client.zrange(createRedisKeys(namespace).cancels('default'), '0', '-1')).toEqual([answer.body.jobId]);
    client.disconnect();
  }, 15_000);

  it('takes a job back that no slot took, and says POOL_BUSY', async () => {
    const { call, namespace, worker } = await startCluster({ play: () => undefined, environment: { PYTHON3_QUEUE_WAIT_SECONDS: '1' } });
    const client = redis().connect();
    const keys = createRedisKeys(namespace);
    await client.hset(`${keys.queuePrefix('default')}:${keys.queueName}:meta`, 'paused', '1');
    const answer = await call(`${LEGACY}/exec`, post('{"code": "1", "timeoutMs": 5000}'));
    expect([answer.status, answer.body.code]).toEqual([503, 'POOL_BUSY']);
    expect(await client.exists(keys.jobRecord('default', answer.body.jobId))).toBe(0);
    expect(worker?.taken).toEqual([]);
    client.disconnect();
  }, 15_000);
});
