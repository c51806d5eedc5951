// Mixed jobs at a steady rate through the HTTP API. Each kind says what its answer must be; anything else is an error.
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const TICK_MS = 20;
/** A cluster that falls behind must not make this process grow. */
const MOST_AT_ONCE = 200;
const FETCH_EVERY_MS = 50;
const FETCH_WITHIN_MS = 60_000;

export class Load {
  /** kind → jobs that ended as they should. */
  counts = {};
  errors = 0;
  lastError = '';
  /** Jobs that were due while too many were under way. */
  skipped = 0;
  #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  #underWay = new Set();
  #server;

  constructor(server) {
    this.#server = server;
  }

  /** Sends until `isOver()`, and resolves when everything is answered. */
  async run(perSecond, isOver) {
    const startedAt = performance.now();
    const kinds = Object.entries(KINDS);
    for (let sent = 0; !isOver(sent);) {
      const due = ((performance.now() - startedAt) / 1_000) * perSecond;
      for (; sent < due && !isOver(sent); sent += 1) {
        if (this.#underWay.size >= MOST_AT_ONCE) this.skipped += 1;
        else this.#send(...kinds[sent % kinds.length], sent);
      }
      await sleep(TICK_MS);
    }
    await Promise.all(this.#underWay);
    this.#agent.destroy();
  }

  #send(kind, run, number) {
    const job = run((...args) => this.#call(...args), number)
      .then(
        () => (this.counts[kind] = (this.counts[kind] ?? 0) + 1),
        (error) => {
          this.errors += 1;
          this.lastError = `${kind}: ${error.message}`;
        },
      )
      .finally(() => this.#underWay.delete(job));
    this.#underWay.add(job);
  }

  #call(method, path, content, headers = {}) {
    const body = content === undefined ? undefined : JSON.stringify(content);
    const { port, key } = this.#server;
    const all = { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }), ...headers };
    return new Promise((resolve, reject) => {
      const sent = request({ agent: this.#agent, host: '127.0.0.1', port, method, path, headers: all }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode, text, json: JSON.parse(text) }));
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }
}

const KINDS = {
  fresh: async (call, n) => {
    const { json, text } = await call('POST', '/data/python3integration/api/v1/exec', { code: `result = ${n} + 1` });
    expect(json.result === n + 1, text);
  },
  warm: async (call, n) => {
    const job = { code: 'import json\nresult = [json.dumps(n)]', variables: { n }, isolation: 'warm' };
    const { json, text } = await call('POST', '/api/v1/jobs', job, { prefer: 'wait=30' });
    expect(json.outcome?.value?.[0] === String(n), text);
  },
  failing: async (call, n) => {
    const { json, text } = await call('POST', '/api/v1/jobs', { code: `raise ValueError('${n}')` }, { prefer: 'wait=30' });
    expect(json.outcome?.error?.message === String(n), text);
  },
  output: async (call) => {
    const job = { code: 'for _ in range(640): print("x" * 99)\nresult = list(range(1000))' };
    const { json, text } = await call('POST', '/api/v1/jobs', job, { prefer: 'wait=30' });
    expect(json.outcome?.stdout?.length === 64_000 && json.outcome.value.length === 1_000, text);
  },
  fetched: async (call, n) => {
    const { json, text } = await call('POST', '/api/v1/jobs', { expression: `${n} * 2` }, { 'idempotency-key': `soak-${n}` });
    expect(json.state === 'waiting', text);
    const ended = await untilEnded(call, json.id);
    expect(ended.outcome.value === n * 2, JSON.stringify(ended));
  },
  cancelled: async (call) => {
    const { json, text } = await call('POST', '/api/v1/jobs', { code: 'import time\ntime.sleep(30)' });
    expect(json.id !== undefined, text);
    await sleep(100);
    await call('DELETE', `/api/v1/jobs/${json.id}`);
    const ended = await untilEnded(call, json.id);
    expect(ended.outcome.status === 'cancelled', JSON.stringify(ended));
  },
};

async function untilEnded(call, id) {
  for (const giveUpAt = Date.now() + FETCH_WITHIN_MS; Date.now() < giveUpAt; await sleep(FETCH_EVERY_MS)) {
    const { json } = await call('GET', `/api/v1/jobs/${id}`);
    if (json.state === 'finished') return json;
  }
  throw new Error(`job ${id} has no outcome`);
}

function expect(isAsItShouldBe, text) {
  if (!isAsItShouldBe) throw new Error(text.slice(0, 300));
}
