// Calls the product as a script or gateway would: JSON over HTTP/1.1 on connections that are kept alive, one per caller.
import { Agent, request } from 'node:http';
import { serveLoad } from './closed-loop.mjs';

const ANSWER_WITHIN_MS = 60_000;
const {
  BENCH_PORT: port,
  BENCH_KEY: key,
  BENCH_BASE: base,
  BENCH_ISOLATION: isolation,
  BENCH_CODE: work,
  BENCH_TURNS: turns,
} = process.env;

await serveLoad({
  base: Number(base),
  openCallers: (callers) => {
    // new connections for each run: the server may have closed idle ones since the last
    const agent = new Agent({ keepAlive: true, maxSockets: callers, maxFreeSockets: callers });
    const call = work !== undefined ? callWork : isolation === 'warm' ? callWarm : callFresh;
    return { call: (a, b) => call(agent, a, b), close: () => agent.destroy() };
  },
});

/** Other code each time, so that no process could be kept for it. */
async function callFresh(agent, a, b) {
  const { text, answer } = await post(agent, '/data/python3integration/api/v1/exec', { code: `result = ${a} + ${b}` });
  if (answer?.success !== true) throw new Error(text);
  return answer.result;
}

function callWarm(agent, a, b) {
  return callJob(agent, { code: 'result = a + b', variables: { a, b }, isolation });
}

function callWork(agent, a, b) {
  return callJob(agent, { code: work, variables: { a, b, n: Number(turns) }, isolation });
}

async function callJob(agent, job) {
  const { text, answer } = await post(agent, '/api/v1/jobs', job, { prefer: 'wait=60' });
  if (answer?.outcome?.status !== 'succeeded') throw new Error(text);
  return answer.outcome.value;
}

function post(agent, path, content, more = {}) {
  const body = JSON.stringify(content);
  const headers = {
    ...more,
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  const options = { agent, host: '127.0.0.1', port, method: 'POST', path, headers };
  return new Promise((resolve, reject) => {
    const sent = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => {
        const answer = response.statusCode === 200 ? parse(text) : undefined;
        resolve({ answer, text: `HTTP ${response.statusCode}: ${text.slice(0, 300)}` });
      });
    });
    sent.setTimeout(ANSWER_WITHIN_MS, () => sent.destroy(new Error(`no answer within ${ANSWER_WITHIN_MS / 1000} s`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
