import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { call, runJob } from '../support/call';
import { jobsOf } from '../support/jobs';
import { GatedJobs } from '../support/gated-jobs';
import type { OtlpReceiver } from '../support/otlp-receiver';
import { ADMIN_KEY, type TestCluster } from '../support/test-cluster';
import { assertConnected, caller, one } from '../support/trace-checks';
import { startTracedCluster, type TracedCluster } from '../support/traced-cluster';
import { waitFor } from '../support/wait-for';

let traced: TracedCluster;
let receiver: OtlpReceiver;
let cluster: TestCluster;
const gates = new GatedJobs('traces-away');

beforeAll(async () => {
  traced = await startTracedCluster();
  ({ receiver, cluster } = traced);
});
afterAll(async () => {
  gates.clean();
  await traced.stop();
});

const asAdmin = { key: ADMIN_KEY };
const { ended } = jobsOf(() => cluster, asAdmin);

describe('a collector that is not there', () => {
  it('harms no job, neither by refusing nor by never answering', async () => {
    for (const behaviour of ['refuse', 'hang'] as const) {
      receiver.behaviour = behaviour;
      const before = receiver.requests.length;
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => runJob(cluster, { code: 'result = 1' }, { headers: caller().headers })),
      );
      expect(answers.map(({ json }) => json.outcome.status)).toEqual(Array.from({ length: 20 }, () => 'succeeded'));
      await waitFor('it to be asked', () => receiver.requests.length > before);
    }
    await waitFor('a word in the log', () =>
      /traces are not exported as they should be/.test([...cluster.apis, ...cluster.workers].map((one) => one.log()).join('')),
    );
  });

  it('does not keep a worker node from stopping in order, and its last job’s trace is complete on the next', async () => {
    const gate = gates.make('gate()\nresult = 1');
    const { traceId, spanId, headers } = caller();
    receiver.behaviour = 'take';
    const answer = await call(cluster, '/api/v1/jobs', gate.job, { ...asAdmin, headers });
    const id = answer.json.id as string;
    const runs = await waitFor('it to run', async () => {
      const { json } = await call(cluster, `/api/v1/jobs/${id}`, undefined, asAdmin);
      return json.state === 'active' ? (json.worker as string) : undefined;
    });
    const [lost, other] = cluster.workers[0]?.log().includes(`"workerId":"${runs}"`) ? cluster.workers : [...cluster.workers].reverse();
    await lost?.stop('SIGKILL');
    gate.open();
    await ended(id);
    const spans = await receiver.trace(traceId, 'POST /api/v1/jobs', 'write outcome');
    assertConnected(spans, spanId);
    // The first attempt's own span went down with its node; the link still names it.
    const second = one(spans, 'process default');
    expect(second.attributes['python3.attempt.number']).toBe(2);
    expect(second.links).toEqual([
      { traceId, spanId: expect.stringMatching(/^[0-9a-f]{16}$/), attributes: { 'python3.attempt.number': 1 } },
    ]);
    receiver.behaviour = 'hang';
    await runJob(cluster, { code: 'result = 1' }, { headers: caller().headers });
    expect(await other?.stop()).toBe(0);
  });
});
