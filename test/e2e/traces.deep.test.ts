import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { call, exec, legacy, runAdminJob, runJob, type Answer } from '../support/call';
import { GatedJobs } from '../support/gated-jobs';
import type { OtlpReceiver } from '../support/otlp-receiver';
import { ADMIN_KEY, DEVELOPER_KEY, SIGNING_KEY, type TestCluster, type TestProcess } from '../support/test-cluster';
import { assertConnected, caller, childrenOf, one } from '../support/trace-checks';
import { startTracedCluster, type TracedCluster } from '../support/traced-cluster';
import { waitFor } from '../support/wait-for';

const FAILED_PER_SECOND = 3;
const JAEGER = 'http://jaeger.example:16686/ui';
let traced: TracedCluster;
let receiver: OtlpReceiver;
let cluster: TestCluster;
const gates = new GatedJobs('traces');

beforeAll(async () => {
  traced = await startTracedCluster({
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test-hall',
    OTEL_TRACES_SAMPLER: 'parentbased_always_off',
    PYTHON3_TRACE_FAILED_PER_SECOND: String(FAILED_PER_SECOND),
    JAEGER_UI_URL: `${JAEGER}/`,
  });
  ({ receiver, cluster } = traced);
});
afterAll(async () => {
  gates.clean();
  await traced.stop();
});

const asAdmin = { key: ADMIN_KEY };
const STEPS = ['verify', 'wait for slot', 'take child', 'mark start', 'run', 'write outcome'];
describe('one job is one trace', () => {
  it('from the caller through the API, the queue and the worker node into the Python code', async () => {
    const { traceId, spanId, headers } = caller();
    const code = `
import os
import python3_trace as trace
with trace.span('load', {'rows': 10}) as span:
    with trace.span('parse'):
        pass
    span.set('source', 'historian')
result = os.environ['TRACEPARENT']`;
    const answer = await runJob(cluster, { code, mode: 'admin' }, { ...asAdmin, headers });
    expect(answer.headers.get('x-trace-id')).toBe(traceId);
    expect(answer.json).toMatchObject({ traceId, links: { trace: `${JAEGER}/trace/${traceId}` } });
    const spans = await receiver.trace(traceId, 'POST /api/v1/jobs', 'write outcome');
    assertConnected(spans, spanId);

    const server = one(spans, 'POST /api/v1/jobs');
    const producer = one(spans, 'send default');
    const consumer = one(spans, 'process default');
    const run = one(spans, 'run');
    const execute = one(spans, 'execute');
    expect([server.kind, producer.kind, consumer.kind, run.kind]).toEqual(['server', 'producer', 'consumer', 'internal']);
    expect(server.parentSpanId).toBe(spanId);
    expect(childrenOf(spans, server)).toEqual(['send default']);
    expect(childrenOf(spans, producer)).toEqual(['wait in queue', 'process default']);
    expect(childrenOf(spans, consumer)).toEqual(STEPS);
    expect(childrenOf(spans, run)).toEqual(['compile', 'execute']);
    expect(childrenOf(spans, execute)).toEqual(['load']);
    expect(childrenOf(spans, one(spans, 'load'))).toEqual(['parse']);
    expect(spans).toHaveLength(4 + STEPS.length + 4);
    expect(answer.json.outcome.value).toBe(`00-${traceId}-${execute.spanId}-01`);

    const { id, worker } = answer.json as { id: string; worker: string };
    expect(server.attributes).toEqual({
      'http.request.method': 'POST', 'http.route': '/api/v1/jobs', 'http.response.status_code': 200,
      'python3.job.id': id, 'python3.outcome.status': 'succeeded',
    }); // prettier-ignore
    const messaging = {
      'messaging.system': 'bullmq',
      'messaging.destination.name': 'default',
      'messaging.message.id': id,
      'python3.job.id': id,
    };
    expect(producer.attributes).toMatchObject({
      ...messaging,
      'messaging.operation.type': 'send',
      'python3.job.kind': 'exec',
      'python3.job.mode': 'admin',
    });
    expect(producer.attributes['messaging.message.body.size']).toBeGreaterThan(code.length);
    expect(consumer.attributes).toMatchObject({
      ...messaging,
      'messaging.operation.type': 'process',
      'python3.worker.id': worker,
      'python3.attempt.number': 1,
      'python3.outcome.status': 'succeeded',
    });
    expect(one(spans, 'take child').attributes).toEqual({ 'process.pid': expect.any(Number), 'python3.isolation': 'fresh' });
    expect(run.attributes).toMatchObject({ 'process.exit.code': 0, 'python3.run.cpu_ms': expect.any(Number) });
    expect(one(spans, 'load').attributes).toEqual({ rows: 10, source: 'historian', 'python3.span.origin': 'program' });
    expect(spans.filter(({ isError }) => isError)).toEqual([]);
    expect(server.resource).toMatchObject({ 'service.name': 'python3-cluster-api', 'deployment.environment': 'test-hall' });
    expect(run.resource).toMatchObject({ 'service.name': 'python3-cluster-worker', 'deployment.environment': 'test-hall' });
    expect(Object.keys(run.resource)).not.toContain('process.command_args');
    const packed = receiver.requests.filter((request) => request.headers['content-encoding'] === 'gzip');
    expect(packed.map(({ path }) => path)).toContain('/v1/traces');
  });

  it('on the predecessor’s routes as well, and in restricted mode', async () => {
    const { traceId, spanId, headers } = caller();
    const code = 'from python3_trace import span\nwith span("inner"): result = 1';
    const answer = await exec(cluster, code, {}, { headers });
    expect(answer.json).toMatchObject({ success: true, traceId, links: { trace: `${JAEGER}/trace/${traceId}` } });
    const spans = await receiver.trace(traceId, 'POST /data/python3integration/api/v1/exec', 'write outcome');
    assertConnected(spans, spanId);
    expect(childrenOf(spans, one(spans, 'execute'))).toEqual(['inner']);
  });

  it('for whoever does not wait, on whichever worker node, warm or fresh', async () => {
    const warm = { code: 'import time; time.sleep(0.1); result = 1', isolation: 'warm' };
    const callers = Array.from({ length: 8 }, () => caller());
    for (const { headers } of callers) expect((await call(cluster, '/api/v1/jobs', warm, { headers })).status).toBe(202);
    const traces = await Promise.all(callers.map(({ traceId }) => receiver.trace(traceId, 'POST /api/v1/jobs', 'write outcome')));
    traces.forEach((spans, at) => assertConnected(spans, callers[at]?.spanId ?? ''));
    const workers = new Set(traces.map((spans) => one(spans, 'process default').resource['service.instance.id']));
    expect(workers.size).toBe(2);
    const isolations = traces.map((spans) => one(spans, 'take child').attributes['python3.isolation']);
    expect(new Set(isolations)).toEqual(new Set(['warm', 'fresh']));
  });

  it('whose wait in the queue is a span of its own', async () => {
    const { traceId, headers } = caller();
    await call(cluster, '/api/v1/jobs', { code: 'result = 1', lane: 'default', delayMs: 300 }, { headers });
    const wait = one(await receiver.trace(traceId, 'write outcome', 'wait in queue'), 'wait in queue');
    expect(wait.attributes).toMatchObject({ 'messaging.destination.name': 'default' });
    const producer = one(receiver.ofTrace(traceId), 'send default');
    expect(wait.startMs - producer.startMs).toBeGreaterThan(250);
  });

  it('or has one of its own, which every answer names', async () => {
    const refused = await call(cluster, '/api/v1/jobs', { code: '1', nonsense: 1 });
    const missing = await legacy(cluster, 'exec', { code: '' });
    for (const answer of [refused, missing]) {
      const id = answer.headers.get('x-trace-id');
      expect(id).toMatch(/^[0-9a-f]{32}$/);
      expect(answer.json.traceId ?? answer.json.error.traceId).toBe(id);
    }
    const run = await runJob(cluster, { code: 'result = 1' });
    expect(run.json.traceId).toBe(run.headers.get('x-trace-id'));
    const shown = await call(cluster, `/api/v1/jobs/${run.json.id as string}`);
    expect(shown.json.traceId).toBe(run.json.traceId);
    const isLogged = (by: readonly TestProcess[], words: string): boolean =>
      by.some((one) => new RegExp(`"traceId":"${run.json.traceId as string}".*"msg":"${words}"`).test(one.log()));
    await waitFor('the line of the request', () => isLogged(cluster.apis, 'request'));
    await waitFor('the line of the job', () => isLogged(cluster.workers, 'job finished'));
  });
});

describe('however a job ends, its spans say so', () => {
  it('a program that fails: compile, execute and its own span, and the class of the error', async () => {
    const { traceId, spanId, headers } = caller();
    await runJob(cluster, { code: 'import python3_trace as t\nwith t.span("part"):\n  raise KeyError("x")' }, { headers });
    const spans = await receiver.trace(traceId, 'POST /api/v1/jobs', 'write outcome');
    assertConnected(spans, spanId);
    for (const name of ['process default', 'run', 'execute', 'part'])
      expect(one(spans, name)).toMatchObject({ isError: true, statusMessage: '', attributes: { 'error.type': 'KeyError' } });
    expect(one(spans, 'POST /api/v1/jobs')).toMatchObject({ isError: false, attributes: { 'python3.outcome.status': 'failed' } });
  });

  it('one that is killed has no inner spans, and what its code has called goes on from the run', async () => {
    const { traceId, spanId, headers } = caller();
    const code = 'import os, time\nprint(os.environ["TRACEPARENT"], flush=True)\ntime.sleep(60)';
    const answer = await runJob(cluster, { code, mode: 'admin', timeoutMs: 300 }, { ...asAdmin, headers });
    const spans = await receiver.trace(traceId, 'POST /api/v1/jobs', 'write outcome');
    assertConnected(spans, spanId);
    const run = one(spans, 'run');
    expect(answer.json.outcome.stdout).toBe(`00-${traceId}-${run.spanId}-01\n`);
    expect(run).toMatchObject({ isError: true, attributes: { 'python3.run.kill_reason': 'wall', 'error.type': 'TimeoutError' } });
    expect(one(spans, 'process default').attributes['python3.outcome.status']).toBe('timed_out');
    expect(childrenOf(spans, run)).toEqual([]);
  });

  it('one that is cancelled while it runs, and one that nobody has started', async () => {
    const [running, waiting] = [caller(), caller()];
    const gate = gates.make('gate()');
    const first = await call(cluster, '/api/v1/jobs', gate.job, { ...asAdmin, headers: running.headers });
    const second = await call(cluster, '/api/v1/jobs', { code: '1', delayMs: 60_000 }, { ...asAdmin, headers: waiting.headers });
    const path = (answer: Answer): string => `/api/v1/jobs/${answer.json.id as string}`;
    await waitFor('it to run', async () => (await call(cluster, path(first), undefined, asAdmin)).json.state === 'active');
    for (const answer of [first, second]) await call(cluster, path(answer), undefined, { ...asAdmin, method: 'DELETE' });
    const spans = await receiver.trace(running.traceId, 'process default', 'POST /api/v1/jobs');
    expect(one(spans, 'process default')).toMatchObject({ isError: true, attributes: { 'python3.outcome.status': 'cancelled' } });
    expect(one(spans, 'run').attributes['python3.run.kill_reason']).toBe('cancelled');
    const settled = await receiver.trace(waiting.traceId, 'settle default', 'POST /api/v1/jobs');
    assertConnected(settled, waiting.spanId);
    expect(one(settled, 'settle default')).toMatchObject({
      isError: true, kind: 'consumer', attributes: { 'python3.outcome.status': 'cancelled', 'error.type': 'Cancelled' },
    }); // prettier-ignore
  });

  it('one that is retried: each attempt is a span, and the later ones are links to the first', async () => {
    const { traceId, spanId, headers } = caller();
    const job = { code: 'raise ValueError()', retryOn: ['failed'], attempts: 3, backoffMs: 100 };
    await runJob(cluster, job, { headers });
    const spans = await receiver.trace(traceId, 'POST /api/v1/jobs', ...Array.from({ length: 3 }, () => 'process default'));
    assertConnected(spans, spanId);
    const attempts = spans.filter(({ name }) => name === 'process default').sort((a, b) => a.startMs - b.startMs);
    expect(attempts.map(({ attributes }) => attributes['python3.attempt.number'])).toEqual([1, 2, 3]);
    expect(new Set(attempts.map(({ parentSpanId }) => parentSpanId))).toEqual(new Set([one(spans, 'send default').spanId]));
    const link = { traceId, spanId: attempts[0]?.spanId, attributes: { 'python3.attempt.number': 1 } };
    expect(attempts.map(({ links }) => links)).toEqual([[], [link], [link]]);
    expect(spans.filter(({ name }) => name === 'wait in queue')).toHaveLength(3);
  });
});

describe('a job that is not sampled', () => {
  it('leaves nothing if it succeeds, and all its spans, marked, if it fails', async () => {
    const [well, ill] = [caller(false), caller(false)];
    // Where the second of the allowance is another test's, the next one is not.
    const failed = await waitFor('a failure that is exported', async () => {
      const answer = await runJob(cluster, { code: 'raise ValueError()' }, { headers: ill.headers });
      await runJob(cluster, { code: 'result = 1' }, { headers: well.headers });
      await new Promise((resolve) => setTimeout(resolve, 300));
      return receiver.ofTrace(ill.traceId).length > 0 ? answer : undefined;
    });
    const spans = await receiver.trace(ill.traceId, 'POST /api/v1/jobs', 'send default', 'write outcome');
    const ofJob = spans.filter(({ attributes }) => attributes['python3.job.id'] === failed.json.id);
    expect(ofJob.map(({ name }) => name).sort()).toEqual(['POST /api/v1/jobs', 'process default', 'send default']);
    for (const span of spans) expect(span.attributes['python3.trace.unsampled']).toBe(true);
    expect(receiver.ofTrace(well.traceId)).toEqual([]);
  });

  it.each([0, 400])('is whole, too, where its caller does not wait for it, delayed by %d ms', async (delayMs) => {
    // Where the second of the allowance is another test's, the next one is not.
    const spans = await waitFor('a failure that is exported', async () => {
      const { traceId, spanId, headers } = caller(false);
      const job = { code: 'raise ValueError()', ...(delayMs > 0 && { delayMs }) };
      expect((await call(cluster, '/api/v1/jobs', job, { headers })).status).toBe(202);
      await new Promise((resolve) => setTimeout(resolve, delayMs + 500));
      if (receiver.ofTrace(traceId).length === 0) return undefined;
      const all = await receiver.trace(traceId, 'POST /api/v1/jobs', 'send default', 'write outcome');
      assertConnected(all, spanId);
      return all;
    });
    for (const span of spans) expect(span.attributes['python3.trace.unsampled']).toBe(true);
  });

  it('is not exported more often than the allowance says', async () => {
    const startedAt = Date.now();
    const callers = Array.from({ length: 60 }, () => caller(false));
    await Promise.all(callers.map(({ headers }) => runJob(cluster, { code: 'raise ValueError()' }, { headers })));
    const seconds = Math.ceil((Date.now() - startedAt) / 1_000) + 1;
    const sentinel = caller();
    await runJob(cluster, { code: 'result = 1' }, { headers: sentinel.headers });
    await receiver.trace(sentinel.traceId, 'POST /api/v1/jobs', 'write outcome');
    const exported = callers.filter(({ traceId }) => receiver.ofTrace(traceId).some(({ name }) => name === 'process default'));
    expect(exported.length).toBeGreaterThan(0);
    expect(exported.length).toBeLessThanOrEqual(FAILED_PER_SECOND * seconds * cluster.workers.length);
  });
});

describe('what a job says of its spans', () => {
  const tamper = (what: string): string => `
import python3_trace
recorder = python3_trace.span.__globals__['_recorder']
${what}
result = 'fine'`;

  it.each([
    ['a parent that is none of its own', "recorder.spans.append(['x', 99, 1000, 2000, {}, None])", 'parent'],
    ['more than there may be', "recorder.spans.extend([['x', -1, 1000, 2000, {}, None]] * 65)", 'count'],
    ['what only we may say', "recorder.spans.append(['x', -1, 1000, 2000, {'python3.job.id': 'y'}, None])", 'attributes'],
    ['no texts', 'recorder.spans.append([7, -1, 1000, 2000, {}, None])', 'name'],
  ])('%s is dropped and counted, and the job succeeds', async (_words, what, reason) => {
    const { traceId, spanId, headers } = caller();
    const answer = await runJob(cluster, { code: tamper(what), mode: 'admin' }, { ...asAdmin, headers });
    expect(answer.json.outcome).toMatchObject({ status: 'succeeded', value: 'fine' });
    const spans = await receiver.trace(traceId, 'POST /api/v1/jobs', 'write outcome');
    assertConnected(spans, spanId);
    const run = one(spans, 'run');
    expect(run.attributes['python3.spans.refused']).toBe(reason);
    expect(childrenOf(spans, run)).toEqual([]);
  });

  it('beyond the bounds is counted at its run, and times of its own choice are put inside it', async () => {
    const { traceId, spanId, headers } = caller();
    const code = tamper(
      "recorder.spans.append(['x', -1, 1000, 5 * 10**18, {}, None])\nfor n in range(80):\n  with python3_trace.span('s'): pass",
    );
    await runJob(cluster, { code, mode: 'admin' }, { ...asAdmin, headers });
    const spans = await receiver.trace(traceId, 'POST /api/v1/jobs', 'write outcome');
    assertConnected(spans, spanId);
    expect(one(spans, 'run').attributes['python3.spans.dropped']).toBe(17);
    expect(spans.filter(({ name }) => name === 's')).toHaveLength(63);
    const { startMs, endMs } = one(spans, 'execute');
    expect(one(spans, 'x')).toMatchObject({ startMs, endMs });
  });
});

it('no span holds code, values, output, texts of errors or keys', async () => {
  const { traceId, headers } = caller();
  const [inCode, inValue, inOutput, inError, inResult] = ['code', 'value', 'output', 'error', 'result'].map(
    (word) => `marker-of-the-${word}`,
  );
  const code = `# ${inCode}\nprint("${inOutput}")\nresult = given + "${inResult}"\nraise ValueError("${inError}")`;
  await runJob(cluster, { code, variables: { given: inValue }, labels: { plant: 'marker-of-the-label' } }, { headers });
  await runAdminJob(cluster, { expression: `"${inCode}"`, kind: 'eval' });
  await receiver.trace(traceId, 'POST /api/v1/jobs', 'write outcome');
  const sent = Buffer.concat(receiver.requests.map(({ bytes }) => bytes)).toString('latin1');
  for (const secret of ['marker-of-the', ADMIN_KEY, DEVELOPER_KEY, SIGNING_KEY]) expect(sent).not.toContain(secret);
});
