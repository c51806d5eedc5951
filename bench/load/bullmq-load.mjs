// BullMQ with nothing around it: add a job, a worker in the same process "runs" it, its completed event answers. No HTTP, no
// signature, no Python: what the queue itself costs, and so the most that anything built on it can reach.
import { Queue, Worker } from 'bullmq';
import { serveLoad } from './closed-loop.mjs';

// tried: 8, 16 and 64, with one to four workers; more in flight than this is slower
const CONCURRENCY = 16;
const { BENCH_REDIS_PORT: port, BENCH_REDIS_DATABASE: db, BENCH_BASE: base } = process.env;
const connection = { host: '127.0.0.1', port: Number(port), db: Number(db), maxRetriesPerRequest: null };

const waiting = new Map();
const queue = new Queue('noop', { connection, defaultJobOptions: { removeOnComplete: true } });
const worker = new Worker('noop', async ({ data }) => data.a + data.b, { connection, concurrency: CONCURRENCY });
worker.on('completed', (job, sum) => {
  waiting.get(job.data.a)(sum);
  waiting.delete(job.data.a);
});
worker.on('error', (error) => process.stderr.write(`${error.message}\n`));
await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);

await serveLoad({ base: Number(base), openCallers: () => ({ call: add, close: () => undefined }) });

function add(a, b) {
  return new Promise((resolve, reject) => {
    waiting.set(a, resolve);
    queue.add('add', { a, b }).catch(reject);
  });
}
