import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { ADMIN_KEY, type TestCluster } from '../support/test-cluster';
import { call } from '../support/call';
import { pause } from '../support/pause';

export interface OverloadFigures {
  readonly sent: number;
  /** Job id → mark. */
  readonly accepted: ReadonlyMap<string, string>;
  /** Code of the answer → how often; `broken` for a connection that gave none. */
  readonly refused: Readonly<Record<string, number>>;
  /** Refusals that did not say when to come again. */
  readonly withoutRetryAfter: number;
  /** Highest resident memory of the replica above that before, in bytes. */
  readonly apiGrowthBytes: number;
  readonly redisGrowthBytes: number;
  /** Of `/health/live` and `/health` in turn, sorted. */
  readonly healthMs: readonly number[];
}

const TICK_MS = 20;
const SAMPLE_MS = 200;

/**
 * Callers that send at a fixed rate whatever the answers are, at one replica, while its health routes are asked and memory
 * is read. Resolves when each has its answer.
 */
export async function overload(options: {
  readonly cluster: TestCluster;
  readonly replica: number;
  readonly pid: number;
  readonly perSecond: number;
  readonly forMs: number;
  readonly makeJob: (number: number) => { readonly mark: string; readonly job: object };
  readonly readRedisMemory: () => Promise<number>;
}): Promise<OverloadFigures> {
  const { cluster, replica, pid, perSecond, forMs, makeJob, readRedisMemory } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const accepted = new Map<string, string>();
  const refused: Record<string, number> = {};
  const healthMs: number[] = [];
  const [apiBefore, redisBefore] = [readResidentBytes(pid), await readRedisMemory()];
  let [apiMost, redisMost, sent, withoutRetryAfter] = [apiBefore, redisBefore, 0, 0];
  const send = async (number: number): Promise<void> => {
    const { mark, job } = makeJob(number);
    const answer = await post(agent, cluster.url('/api/v1/jobs', replica), job).catch(() => undefined);
    if (answer?.status === 202) return void accepted.set(answer.json.id, mark);
    const code = answer === undefined ? 'broken' : answer.json.error.code;
    refused[code] = (refused[code] ?? 0) + 1;
    if (answer !== undefined && !(Number(answer.retryAfter) > 0)) withoutRetryAfter += 1;
  };
  const until = performance.now() + forMs;
  const watch = async (): Promise<void> => {
    for (let count = 0; performance.now() < until; count += 1) {
      const askedAt = performance.now();
      const { status } = await call(cluster, count % 2 === 0 ? '/health/live' : '/health', undefined, { key: null, replica });
      if (status !== 200) throw new Error(`health said ${status} under overload`);
      healthMs.push(performance.now() - askedAt);
      apiMost = Math.max(apiMost, readResidentBytes(pid));
      redisMost = Math.max(redisMost, await readRedisMemory());
      await pause(SAMPLE_MS);
    }
  };
  const watching = watch();
  const answers: Promise<void>[] = [];
  const startedAt = performance.now();
  while (performance.now() < until) {
    const due = ((performance.now() - startedAt) / 1_000) * perSecond;
    while (sent < due) answers.push(send((sent += 1)));
    await pause(TICK_MS);
  }
  await Promise.all([watching, ...answers]);
  agent.destroy();
  return {
    sent,
    accepted,
    refused,
    withoutRetryAfter,
    apiGrowthBytes: apiMost - apiBefore,
    redisGrowthBytes: redisMost - redisBefore,
    healthMs: healthMs.sort((one, other) => one - other),
  };
}

export function formatOverload({ sent, accepted, refused, apiGrowthBytes, redisGrowthBytes, healthMs }: OverloadFigures): string {
  const refusals = Object.entries(refused).map(([code, count]) => `${count} ${code}`);
  const megabytes = (bytes: number): string => (bytes / 1_048_576).toFixed(1);
  const health = [0.5, 0.99].map((share) => Math.round(healthMs[Math.floor(share * healthMs.length)] ?? 0));
  return `overload: sent ${sent}, accepted ${accepted.size}, refused ${refusals.join(', ')}; API grew by ${megabytes(apiGrowthBytes)} MiB, Redis by ${megabytes(redisGrowthBytes)} MiB; health p50 ${health[0]} ms, p99 ${health[1]} ms`;
}

interface PostAnswer {
  readonly status: number | undefined;
  readonly retryAfter: string | undefined;
  readonly json: { readonly id: string; readonly error: { readonly code: string } };
}

/** A few connections that are kept: a caller per request would be a test of accepting connections. */
function post(agent: Agent, url: string, body: object): Promise<PostAnswer> {
  const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, method: 'POST', headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => {
        const json = JSON.parse(text) as PostAnswer['json'];
        resolve({ status: response.statusCode, retryAfter: response.headers['retry-after'], json });
      });
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}

const readResidentBytes = (pid: number): number =>
  1_024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
