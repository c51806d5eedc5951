import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { call, runJob, type Answer } from '../support/call';
import { jobsOf } from '../support/jobs';
import { makeNotesFolder } from '../support/notes';
import { RedisServer, startReplicated, startSentinels } from '../support/redis-servers';
import { ADMIN_KEY, TestCluster } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

const REDIS_PASSWORD = 'redis-p@ss/word';
const SENTINEL_PASSWORD = 'sentinel-password';
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** A job that notes in a file that it ran. */
const noting = (notes: string, mark: string, delivery: string): object => ({
  mode: 'admin', delivery, variables: { notes, mark },
  code: `
import os, time
os.umask(0)
file = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(file, (mark + '\\n').encode())
time.sleep(0.05)
result = mark`,
}); // prettier-ignore

const submit = (cluster: TestCluster, job: object): Promise<Answer> => call(cluster, '/api/v1/jobs', job, { key: ADMIN_KEY });
const ran = (notes: string): string[] => (existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n').filter(Boolean) : []);

const useNotes = (): string => join(makeNotesFolder(), 'notes');

async function useReplicated(settings: readonly string[] = []): Promise<{ primary: RedisServer; replica: RedisServer }> {
  const pair = await startReplicated(settings);
  stops.push(
    () => pair.primary.stop(),
    () => pair.replica.stop(),
  );
  return pair;
}

async function useCluster(redisUrl: string): Promise<TestCluster> {
  const cluster = await TestCluster.start({ redisUrl, settings: { PYTHON3_DURABILITY: 'replica', PYTHON3_POOL_MAX: '4' } });
  stops.push(() => cluster.stop());
  return cluster;
}

describe('with PYTHON3_DURABILITY=replica', () => {
  it.each(['killed', 'hanging'])('a primary that is %s under load: sentinels fail over, no accepted job is lost, no at-most-once job starts twice', async (how) => {
    const settings = [`requirepass ${REDIS_PASSWORD}`, `masterauth ${REDIS_PASSWORD}`];
    const { primary, replica } = await useReplicated(settings);
    const sentinels = await startSentinels(primary, 'plant', SENTINEL_PASSWORD, REDIS_PASSWORD);
    for (const sentinel of sentinels) stops.push(() => sentinel.stop());
    const hosts = sentinels.map((sentinel) => `127.0.0.1:${sentinel.port}`).join(',');
    const url = `redis+sentinel://:${encodeURIComponent(REDIS_PASSWORD)}@${hosts}/plant?sentinelPassword=${SENTINEL_PASSWORD}`;
    const cluster = await useCluster(url);
    const notes = useNotes();

    const accepted = new Map<string, string>();
    let refused = 0;
    let isOver = false;
    const load = Array.from({ length: 6 }, async (_, caller) => {
      for (let index = 0; !isOver; index += 1) {
        const delivery = index % 2 === 0 ? 'at-most-once' : 'at-least-once';
        const mark = `${delivery} ${caller}.${index}`;
        const answer = await submit(cluster, noting(notes, mark, delivery));
        if (answer.status === 202) accepted.set(answer.json.id as string, mark);
        else refused += 1;
        await new Promise((resolve) => setTimeout(resolve, answer.status === 202 ? 20 : 100));
      }
    });
    await waitFor('some load', () => ran(notes).length > 50);
    if (how === 'killed') await primary.end('SIGKILL');
    else primary.freeze();
    const before = accepted.size;
    // The sentinels promote; a second replica is what jobs are accepted for again.
    await waitFor('a new primary', async () => /role:master/.test(await replica.client.info('replication')));
    const next = await RedisServer.start({ settings: [...settings, `replicaof 127.0.0.1 ${replica.port}`], client: { password: REDIS_PASSWORD } });
    stops.push(() => next.stop());
    await waitFor('jobs to be accepted again', () => accepted.size > before + 50, 30_000);
    isOver = true;
    await Promise.all(load);

    const outcomes = new Map<string, number>();
    for (const id of accepted.keys()) {
      const ended = await waitFor(`the outcome of ${id}`, async () => {
        const answer = await jobsOf(cluster, { key: ADMIN_KEY }).show(id);
        expect([id, answer.status]).toEqual([id, 200]);
        return answer.json.state === 'finished' && answer;
      }, 60_000); // prettier-ignore
      const status = ended.json.outcome.status as string;
      outcomes.set(status, (outcomes.get(status) ?? 0) + 1);
    }
    const runs = ran(notes);
    const twice = runs.filter((mark, at) => mark.startsWith('at-most-once') && runs.indexOf(mark) !== at);
    process.stderr.write(`failover: ${accepted.size} accepted, ${refused} refused, outcomes ${JSON.stringify([...outcomes])}, ${runs.length} runs\n`);
    expect(twice).toEqual([]);
    expect(refused).toBeGreaterThan(0);
    // What may end so is what ran when the primary was lost, not more.
    expect((outcomes.get('lost') ?? 0) + (outcomes.get('crashed') ?? 0)).toBeLessThanOrEqual(8);
    expect(cluster.apis[0]?.log() ?? '').not.toMatch(/p@ss|p%40ss|sentinel-password/);
    expect(cluster.workers[0]?.log() ?? '').not.toMatch(/p@ss|p%40ss|sentinel-password/);
  }, 120_000); // prettier-ignore

  it('a job that no replica confirms is taken back and refused, then all are refused at once until a replica is back', async () => {
    const { primary, replica } = await useReplicated();
    const cluster = await useCluster(primary.url);
    const job = { code: 'result = 1' };
    expect((await runJob(cluster, job)).json.outcome.status).toBe('succeeded');
    // No worker node that could be quicker than the taking back.
    cluster.workers[0]?.process.kill('SIGSTOP');
    replica.freeze();
    const first = await call(cluster, '/api/v1/jobs', job);
    expect([first.status, first.json.error.code, Number(first.headers.get('retry-after')) > 0]).toEqual([
      503,
      'DURABILITY_UNAVAILABLE',
      true,
    ]);
    expect((await call(cluster, `/api/v1/jobs/${first.json.error.jobId}`)).status).toBe(404);
    const next = await call(cluster, '/api/v1/jobs', job);
    expect([next.status, next.json.error.code, next.json.error.jobId]).toEqual([503, 'DURABILITY_UNAVAILABLE', undefined]);
    expect((await call(cluster, '/health/ready', undefined, { key: null })).json).toMatchObject({ code: 'DURABILITY_UNAVAILABLE' });
    // Reads and cancelling do not wait behind it.
    const askedAt = Date.now();
    expect((await call(cluster, '/api/v1/jobs')).status).toBe(200);
    expect(Date.now() - askedAt).toBeLessThan(900);
    replica.thaw();
    cluster.workers[0]?.process.kill('SIGCONT');
    await waitFor('it to be accepted', async () => (await runJob(cluster, job)).json.outcome?.status === 'succeeded');
    expect((await call(cluster, '/health/ready', undefined, { key: null })).status).toBe(200);
  }, 60_000);

  it('a start that no replica confirms does not run; the job goes back and runs once, as its first start', async () => {
    const { primary, replica } = await useReplicated();
    const cluster = await useCluster(primary.url);
    const notes = useNotes();
    expect((await runJob(cluster, { code: 'result = 1' })).status).toBe(200);
    cluster.workers[0]?.process.kill('SIGSTOP');
    const { json } = await submit(cluster, noting(notes, 'm', 'at-most-once'));
    replica.freeze();
    cluster.workers[0]?.process.kill('SIGCONT');
    await waitFor('the start to be refused', () => cluster.workers[0]?.log().includes('no replica confirmed the start'));
    expect(ran(notes)).toEqual([]);
    await waitFor(
      'it to wait again',
      async () => (await jobsOf(cluster, { key: ADMIN_KEY }).show(json.id as string)).json.state === 'waiting',
    );
    replica.thaw();
    const { outcome, attempts } = await jobsOf(cluster, { key: ADMIN_KEY }).ended(json.id as string);
    expect([outcome.status, attempts.length, ran(notes)]).toEqual(['succeeded', 1, ['m']]);
  }, 60_000);
});
