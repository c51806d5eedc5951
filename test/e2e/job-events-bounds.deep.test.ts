import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { formatWatch } from '@python3-cluster/shared';
import { ADMIN_KEY, DEVELOPER_KEY, TestCluster, type TestClusterOptions } from '../support/test-cluster';
import { assertOwnAnswers, call } from '../support/call';
import { EventReader, type EventReaderOptions } from '../support/event-reader';
import { jobsOf } from '../support/jobs';
import { pause } from '../support/pause';
import { TcpProxy } from '../support/tcp-proxy';
import { freePort, startPrivateRedis } from '../support/test-redis';
import { waitFor, waitForQuiet } from '../support/wait-for';

let cluster: TestCluster;
const readers: EventReader[] = [];
const start = async (options: TestClusterOptions = {}): Promise<void> => {
  // What still sleeps at the end of a test is not waited for.
  cluster = await TestCluster.start({ ...options, settings: { PYTHON3_DRAIN_SECONDS: '1', ...options.settings } });
};
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close();
  await cluster.stop();
});

const jobs = jobsOf(() => cluster);
const submit = (code: string): Promise<string> => jobs.submit({ code });
const read = (id: string, options?: EventReaderOptions): EventReader => {
  const reader = new EventReader(cluster, id, options);
  readers.push(reader);
  return reader;
};
const residentMb = (pid = 0): number => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;
/** The most that a process grows by while something goes on. */
async function growthMb(pids: readonly (number | undefined)[], during: () => Promise<void>): Promise<number[]> {
  const before = pids.map(residentMb);
  const peaks = [...before];
  const timer = setInterval(() => pids.forEach((pid, index) => (peaks[index] = Math.max(peaks[index] ?? 0, residentMb(pid)))), 50);
  await during().finally(() => clearInterval(timer));
  return peaks.map((peak, index) => Math.round(peak - (before[index] ?? 0)));
}
const warmUp = async (): Promise<void> => {
  const id = await submit('for n in range(20_000): print(n)');
  await Promise.all(Array.from({ length: 5 }, () => read(id).toItsEnd()));
};

describe('what is written without end', () => {
  it('100 MB are cut at the bound, said to be, and stay in nobody’s memory', async () => {
    await start({ settings: { PYTHON3_POOL_MAX: '3' } });
    await warmUp();
    const grown = await growthMb([cluster.apis[0]?.pid, cluster.workers[0]?.pid], async () => {
      const id = await submit("line = 'x' * 9_999\nfor n in range(10_000): print(line)");
      const flood = await Promise.all([read(id), read(id), read(id)].map((reader) => reader.toItsEnd(60_000)));
      for (const reader of flood) {
        expect(Buffer.byteLength(reader.text('stdout'))).toBe(1_048_576);
        expect(reader.of('stdout').filter(({ data }) => data.truncated === true).length).toBeLessThanOrEqual(1);
        expect(reader.outcome).toMatchObject({ limitsHit: ['output'], outcome: { status: 'succeeded', truncated: true } });
      }
    });
    // Several times the bound, and far below what was written.
    for (const each of grown) expect(each).toBeLessThan(50);
  });

  it('says that no more will be kept while the job still runs', async () => {
    await start({ settings: { PYTHON3_MAX_OUTPUT_BYTES: '2048' } });
    const id = await submit("import time\nprint('é' * 5_000)\ntime.sleep(20)");
    const reader = read(id);
    await reader.waitFor('the cut', () => reader.of('stdout').at(-1)?.data.truncated === true);
    expect([Buffer.byteLength(reader.text('stdout')), reader.outcome]).toEqual([2_048, undefined]);
  });
});

describe('readers who take nothing', () => {
  it('cost the API no memory, keep no other reader waiting, and are disconnected', async () => {
    await start({
      settings: { PYTHON3_MAX_OUTPUT_BYTES: '25165824', PYTHON3_EVENTS_STALL_SECONDS: '4', PYTHON3_RESULT_MAX_BYTES: '1073741824' },
    });
    await warmUp();
    const code = "line = 'x' * 1_023\nfor n in range(24 * 1_024 - 1): print(line)\nimport time\ntime.sleep(1)";
    const id = await submit(code);
    const slow: EventReader[] = [];
    const [grown] = await growthMb([cluster.apis[0]?.pid], async () => {
      for (let count = 0; count < 12; count += 1) slow.push(read(id));
      await Promise.all(slow.map((reader) => reader.waitFor('its answer', () => reader.status === 200)));
      for (const reader of slow) reader.pause();
      const quick = await read(id).toItsEnd(60_000);
      expect(quick.outcome.outcome).toMatchObject({ status: 'succeeded', truncated: false });
      expect(quick.text('stdout')).toBe(quick.outcome.outcome.stdout);
      await waitFor('the API to let go of those who take nothing', () => {
        const log = cluster.apis[0]?.log() ?? '';
        return (log.match(/"aborted":true/g)?.length ?? 0) >= slow.length;
      });
    });
    // Twelve times 24 MB of output and as much again of outcome, were it kept for them. The outcome itself is read and written a few times.
    expect(grown).toBeLessThan(350);
    for (const reader of slow) {
      reader.resume();
      await reader.toItsEnd();
      expect([reader.wasCut, reader.outcome]).toEqual([true, undefined]);
    }
  }, 120_000);

  it('who take it up again in time lose nothing', async () => {
    await start({ settings: { PYTHON3_MAX_OUTPUT_BYTES: '16777216', PYTHON3_RESULT_MAX_BYTES: '1073741824' } });
    const id = await submit("line = 'x' * 1_023\nfor n in range(16 * 1_024 - 1): print(line)\nimport time\ntime.sleep(2)");
    const reader = read(id);
    for (let turn = 0; turn < 6; turn += 1) {
      const had = reader.events.length;
      await reader.waitFor('a little', () => reader.events.length > had || reader.hasEnded);
      reader.pause();
      await pause(700);
      reader.resume();
    }
    await reader.toItsEnd(60_000);
    expect(reader.text('stdout')).toBe(reader.outcome.outcome.stdout);
    expect(reader.text('stdout').length).toBe(16 * 1_048_576 - 1_024);
  }, 90_000);
});

describe('how many streams there may be', () => {
  it('per owner and per replica is bounded, with a code, and a place comes free when one ends', async () => {
    await start({ settings: { PYTHON3_EVENTS_MAX_STREAMS: '3', PYTHON3_EVENTS_MAX_PER_OWNER: '2' } });
    const id = await submit('import time\ntime.sleep(20)');
    const events = async (key: string): Promise<unknown[]> => {
      const answer = await call(cluster, `/api/v1/jobs/${id}/events`, undefined, { key });
      return [answer.status, answer.json.error.code, Number(answer.headers.get('retry-after')) > 0];
    };
    const opened = async (key: string): Promise<EventReader> => {
      const reader = read(id, { key });
      await reader.waitFor('its answer', () => reader.status === 200);
      return reader;
    };
    const [first] = [await opened(DEVELOPER_KEY), await opened(DEVELOPER_KEY)];
    expect(await events(DEVELOPER_KEY)).toEqual([429, 'EVENTS_PER_OWNER', true]);
    await opened(ADMIN_KEY);
    expect(await events(ADMIN_KEY)).toEqual([503, 'EVENTS_FULL', true]);
    first.close();
    await waitFor('its place', async () => {
      const reader = read(id, { key: ADMIN_KEY });
      await reader.waitFor('an answer', () => reader.status !== 0);
      return reader.status === 200;
    });
  });

  it('does not concern worker nodes: watches of nobody’s jobs are forgotten, and answered once at most', async () => {
    await start({ settings: { PYTHON3_POOL_MAX: '3' } });
    const redis = new Redis(cluster.redisUrl);
    const listener = redis.duplicate();
    try {
      let messages = 0;
      listener.on('pmessage', () => (messages += 1));
      await listener.psubscribe(`${cluster.namespace}:output:*`);
      await warmUp();
      messages = 0;
      const id = await submit("print('x' * 500_000)\nimport time\ntime.sleep(20)");
      await waitFor('it to run', async () => (await call(cluster, `/api/v1/jobs/${id}`)).json.state === 'active');
      const channel = `${cluster.namespace}:{default}:watch`;
      const [grown] = await growthMb([cluster.workers[0]?.pid], async () => {
        for (let round = 0; round < 100; round += 1) {
          const pipeline = redis.pipeline();
          for (let index = 0; index < 500; index += 1) {
            const position = { attempt: 0, stdout: index, stderr: round };
            pipeline.publish(
              channel,
              formatWatch({ jobId: `default.${String(round * 500 + index).padStart(26, '0')}`, replicaId: 'bogus', position }),
            );
            pipeline.publish(channel, formatWatch({ jobId: id, replicaId: `bogus-${round}-${index}`, position }));
            pipeline.publish(channel, 'x'.repeat(5_000));
          }
          await pipeline.exec();
        }
      });
      // A watch is answered once: what comes after the last one asked is a turn or two.
      const after = messages;
      expect((await waitForQuiet('the last message', () => messages, 1_000)) - after).toBeLessThan(100);
      expect(grown).toBeLessThan(120);
      await assertOwnAnswers(cluster);
      const reader = read(id);
      await reader.waitFor('its output', () => reader.text('stdout').length > 500_000);
    } finally {
      listener.disconnect();
      redis.disconnect();
    }
  }, 90_000);
});

describe('Redis away', () => {
  const code = `
import time
for n in range(30):
    print(n, flush=True)
    time.sleep(0.1)
print('end')`;

  it('the stream stays and has its heartbeats; back, it goes on to the outcome', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'python3-test-redis-'));
    const port = await freePort();
    let server = await startPrivateRedis({ port, directory });
    try {
      await start({ redisUrl: server.url, settings: { PYTHON3_EVENTS_HEARTBEAT_SECONDS: '1' } });
      const reader = read(await submit(code));
      await reader.waitFor('some output', () => reader.of('stdout').length >= 3);
      await server.stop();
      const heard = reader.comments.length;
      await reader.waitFor('heartbeats', () => reader.comments.length >= heard + 3);
      expect([reader.hasEnded, reader.wasCut]).toEqual([false, false]);
      server = await startPrivateRedis({ port, directory });
      await reader.toItsEnd(40_000);
      const { outcome, attempts } = reader.outcome;
      expect(outcome.status).toBe('succeeded');
      expect(reader.text('stdout', attempts.length as number)).toBe(outcome.stdout);
      expect(outcome.stdout).toMatch(/^0\n1\n.*\n29\nend\n$/s);
    } finally {
      await cluster.stop();
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    }
  }, 90_000);

  it('and the breaker open: watching sends it nothing at all', async () => {
    await start({ apis: 0, workers: 0 });
    const proxy = await TcpProxy.start(Number(new URL(cluster.redisUrl).port));
    try {
      await cluster.startApi({ REDIS_URL: proxy.redisUrl, PYTHON3_EVENTS_HEARTBEAT_SECONDS: '1', PYTHON3_LOG_LEVEL: 'debug' });
      cluster.startWorker();
      await cluster.waitForWorkers(1);
      const id = await submit(code.replace('range(30)', 'range(250)'));
      const several = [read(id), read(id), read(id)];
      for (const reader of several) await reader.waitFor('some output', () => reader.of('stdout').length >= 3);
      proxy.cut('frozen');
      const breaker = async (): Promise<string> => (await call(cluster, '/health', undefined, { key: null })).json.breaker as string;
      await waitFor('the breaker to open', async () => (await breaker()) === 'open');
      // Readers come, too, and are refused like everybody.
      const late = await call(cluster, `/api/v1/jobs/${id}/events`);
      expect([late.status, late.json.error.code]).toEqual([503, 'QUEUE_UNAVAILABLE']);
      // For several renewals, a second apart, of time in which it was open from first to last. In between it may be half-open
      // for a moment only, if a command from before fails then; the write test is sent all the same.
      const tests = (): number => cluster.apis[0]?.log().match(/"breaker":"half-open"/g)?.length ?? 0;
      for (let openMs = 0; openMs < 5_000;) {
        const [first, testsBefore] = [await breaker(), tests()];
        const [before, startedAt] = [proxy.sentBytes, performance.now()];
        await pause(200);
        const [sent, tookMs] = [proxy.sentBytes - before, performance.now() - startedAt];
        if (first !== 'open' || (await breaker()) !== 'open') continue;
        // Its log may be a moment behind.
        if (sent > 0) await pause(500);
        if (tests() !== testsBefore) continue;
        expect(sent).toBe(0);
        openMs += tookMs;
      }
      expect(several.map((reader) => reader.hasEnded || reader.wasCut)).toEqual([false, false, false]);
      proxy.heal();
      for (const reader of several) {
        await reader.toItsEnd(60_000);
        expect(reader.text('stdout')).toBe(reader.outcome.outcome.stdout);
      }
    } finally {
      await cluster.stop();
      await proxy.stop();
    }
  }, 120_000);
});
