import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  connectRedis, createJobId, createRedisKeys, defineJobCommands, KeyRing, LargeContent, loadConfig, openOutcome, QuarantineList, RESTRICTED_MODULES, sealJob, sealJobHead,
  type Delivery, type Job, type Outcome,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { StagedRunner } from '../../../../test/contracts/staged-runner';
import { Pool } from '../pool/pool';
import { Quarantine } from '../quarantine/quarantine';
import { Template } from '../runner/template';
import { OutputFeed } from '../watch/output-feed';
import { WarmChildren } from '../warm/warm-children';
import { OutcomeWriter, type PreparedOutcome } from './outcome-writer';
import { Attempts } from './attempts';
import { Endings } from './endings';
import { JobProcessor } from './process-job';

const { config } = loadConfig({});
const keyRing = new KeyRing('k'.repeat(32));
const keys = createRedisKeys(`t-${randomBytes(5).toString('hex')}`);
const logger = pino({ level: 'silent' });
const runner = new StagedRunner(config.maxValueBytes);
const pool = new Pool({ min: 3, max: 3, borrowWaitMs: 20_000, idleMs: 60_000 });
let template: Template;
let redis: Redis;

beforeAll(async () => {
  redis = defineJobCommands(
    connectRedis(process.env['PYTHON3_TEST_REDIS_URL'] ?? '', { profile: 'patient', name: 'test', onError: () => undefined }),
  );
  await runner.start();
  template = await Template.start({ ...runner.templateOptions, onLost: () => undefined });
});
afterAll(async () => {
  template.kill();
  pool.close();
  await runner.allGone();
  await runner.stop();
  await redis.quit();
});

/** Kills it, and returns when the kernel has closed its descriptors: before the event loop could hear of it. */
function killUnseen(pid: number): void {
  process.kill(pid, 'SIGKILL');
  for (const deadline = Date.now() + 10_000; isRunning(pid);) if (Date.now() > deadline) throw new Error('it does not end');
}

function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Runs a job whose first children are killed just before each is given it. */
async function run(delivery: Delivery, deadChildren: number): Promise<{ outcome: Outcome; lent: number }> {
  let lent = 0;
  const takeChild = async () => {
    const child = await runner.fork(template);
    if ((lent += 1) > deadChildren) return child;
    // After the start marker, which is written in between.
    const give = child.run.bind(child);
    child.run = (...args) => {
      killUnseen(child.pid);
      give(...args);
    };
    return child;
  };
  const job: Job = {
    version: 1, id: createJobId('default'), lane: 'default', kind: 'exec', mode: 'admin', isolation: 'fresh', delivery, owner: 'x',
    limits: { timeoutMs: 20_000, memoryMb: 256, cpuSeconds: 20 }, issuedAt: Date.now(), validUntil: Date.now() + 60_000, startBefore: null,
    resultTtlMs: 60_000, replyTo: null, traceparent: null,
  }; // prettier-ignore
  const record = keys.jobRecord('default', job.id);
  await redis.hset(record, 'job', sealJobHead(keyRing, job), 'state', 'waiting');
  await redis.pexpire(record, 60_000);
  const workerId = 'node-1';
  const large = new LargeContent(redis);
  const processor = new JobProcessor({
    admission: { config, redis, large, keys, keyRing, level: 'A', logger, signing: { now: () => Promise.resolve('fits') } },
    pool,
    programs: { note: () => Promise.resolve() },
    quarantine: new Quarantine({ config, redis, keys, keyRing, workerId, list: new QuarantineList({ redis, keys, keyRing, logger }), logger }),
    attempts: new Attempts({
      config, redis, keys, workerId, allowedModules: RESTRICTED_MODULES, processLimit: { current: 256 }, logger,
      templates: { takeChild },
      warm: new WarmChildren({ maxChildren: 3, memoryBytes: 0, idleMs: 1_000, maxUses: 1, logger }),
      feed: new OutputFeed({ redis, keys, keyRing, workerId, lanes: ['default'], logger }),
    }),
    endings: new Endings({ redis, keys, keyRing, workerId, logger, outcomes: new OutcomeWriter({ redis, large, keys, keyRing, workerId, level: 'D', logger }) }),
  }); // prettier-ignore
  const entry = { sealed: sealJob(keyRing, job, Buffer.from('{"code":"result = 7","variables":{}}')).toString('utf8') };
  const signal = new AbortController().signal;
  const processed = await processor.process({ lane: 'default', jobId: job.id, entry, isRedelivered: false, signal });
  const { keys: finishKeys, values } = (processed as { readonly outcome: PreparedOutcome }).outcome.finish;
  expect(await redis.finishJob(...finishKeys, ...values)).toBe('written');
  const sealed = (await redis.hgetBuffer(record, 'outcome')) as Buffer;
  return { outcome: openOutcome(keyRing, job.id, sealed)?.outcome as Outcome, lent };
}

describe.each<[Delivery]>([['at-most-once'], ['at-least-once']])('a job (%s) whose child was killed before it had read it', (delivery) => {
  it('runs in another child, and that was one start', async () => {
    const { outcome, lent } = await run(delivery, 2);
    expect(outcome).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] });
    expect([outcome.attempts.length, lent]).toEqual([1, 3]);
  });

  it('crashes if that goes on', async () => {
    const { outcome, lent } = await run(delivery, Infinity);
    expect(outcome).toMatchObject({ status: 'crashed', error: { type: 'ProcessEnded' } });
    expect(lent).toBe(4);
  });
});
