import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import { Redis } from 'ioredis';
import { call, type Reached } from './call';
import { listAlive, listDescendants } from './descendants';
import { findHostPid } from './host-pids';
import { listLeftKeys } from './left-keys';
import { ADMIN_KEY, TestCluster } from './test-cluster';
import { waitFor, waitForQuiet } from './wait-for';

/** Two API replicas and a worker node of three slots. What a test needs beyond that, its own cluster has, in a `*.deep.test.ts`. */
const SETTINGS = {
  PYTHON3_POOL_MAX: '3',
  PYTHON3_LANES: 'default,second',
  PYTHON3_MAX_BODY_BYTES: '3000000',
  PYTHON3_DELAY_CEILING_SECONDS: '3600',
};
const REPLICAS = 2;
export const STANDARD_SLOTS = 3;
const REDIS_SETTINGS = ['maxmemory', 'maxmemory-policy', 'appendonly', 'appendfsync', 'save'];
/** What runs at the end of a test is over by then. */
const IDLE_WITHIN_MS = 30_000;

interface StandardProcess {
  readonly pid: number;
  readonly logPath: string;
}

/** What one test file tells the next: modules and memory end with a file, processes and Redis do not. */
interface Notes {
  readonly namespace: string;
  readonly redisUrl: string;
  readonly runDirectory: string;
  readonly notes: string;
  readonly ports: readonly number[];
  readonly apis: readonly StandardProcess[];
  readonly workers: readonly StandardProcess[];
  readonly nodeIds: readonly string[];
  readonly redisSettings: readonly string[];
  /** Processes below the worker node while it is idle. */
  readonly idleProcesses: number;
}

export interface SharedProcess {
  readonly pid: number;
  /** What it has logged since this test file began. */
  log(): string;
}

/**
 * The cluster that test files of one Jest worker share: the first of them starts it, and it ends with the worker. After each
 * file it must be as it was before: idle, nothing in the queue, its processes and settings the same. Call it at a file's top.
 */
export function useStandardCluster(): StandardCluster {
  const cluster = new StandardCluster();
  beforeAll(() => cluster.join(), 60_000);
  afterAll(() => cluster.leave(), 2 * IDLE_WITHIN_MS);
  return cluster;
}

export class StandardCluster {
  private known: Notes | undefined;
  apis: readonly SharedProcess[] = [];
  workers: readonly SharedProcess[] = [];

  get namespace(): string {
    return this.told.namespace;
  }

  get redisUrl(): string {
    return this.told.redisUrl;
  }

  /** ADMIN code may write here. */
  get notes(): string {
    return this.told.notes;
  }

  get ports(): readonly number[] {
    return this.told.ports;
  }

  url(path = '', replica = 0): string {
    return `http://127.0.0.1:${this.ports[replica]}${path}`;
  }

  /** As `TestCluster` has it. */
  hostPid(pid: number, scratchPath: string): number {
    return findHostPid(pid, scratchPath);
  }

  async join(): Promise<void> {
    const path = join(standardFolder(), `${process.env['JEST_WORKER_ID'] ?? '1'}.json`);
    if (!existsSync(path)) writeFileSync(path, JSON.stringify(await startCluster()));
    this.known = JSON.parse(readFileSync(path, 'utf8')) as Notes;
    [this.apis, this.workers] = [this.known.apis.map(fromHere), this.known.workers.map(fromHere)];
    await this.assertAsBefore('a test file before this one left its cluster as it was');
  }

  leave(): Promise<void> {
    return this.assertAsBefore('this test file leaves its cluster as it was');
  }

  private get told(): Notes {
    if (this.known === undefined) throw new Error('the standard cluster is there from beforeAll on');
    return this.known;
  }

  private async assertAsBefore(words: string): Promise<void> {
    const redis = new Redis(this.redisUrl);
    let left: string[] = [];
    try {
      await waitFor(words, async () => (left = await this.listLeft(redis)).length === 0, IDLE_WITHIN_MS);
    } catch (error) {
      throw new Error(`${words}, and it did not: ${left.slice(0, 20).join('; ')}`, { cause: error });
    } finally {
      redis.disconnect();
    }
  }

  /** What is not as it was before: nothing while it is idle. */
  async listLeft(redis: Redis): Promise<string[]> {
    const { apis, workers, nodeIds, namespace, redisSettings, idleProcesses } = this.told;
    const dead = [...apis, ...workers].filter(({ pid }) => listAlive([pid]).length === 0);
    if (dead.length > 0) return dead.map(({ pid, logPath }) => `process ${pid} ended: ${readFileSync(logPath, 'utf8').slice(-2_000)}`);
    const left = await listLeftKeys(redis, namespace);
    if ((await readRedisSettings(redis)).join() !== redisSettings.join()) left.push('settings of Redis');
    const nodes = await listNodes(this);
    if (nodes.map(({ id }) => id).join() !== nodeIds.join()) left.push('other worker nodes');
    for (const { inUse, waiting } of nodes.map(({ pool }) => pool))
      if (inUse + waiting > 0) left.push(`${inUse} jobs that run, ${waiting} that wait for a slot`);
    const processes = workers.flatMap(({ pid }) => listAlive(listDescendants(pid)));
    if (processes.length > idleProcesses) left.push(`${processes.length} processes of the worker node, where ${idleProcesses} are its own`);
    return left;
  }
}

function fromHere({ pid, logPath }: StandardProcess): SharedProcess {
  const from = statSync(logPath).size;
  return { pid, log: () => readFileSync(logPath).subarray(from).toString() };
}

async function startCluster(): Promise<Notes> {
  const logFolder = join(standardFolder(), `logs-${process.env['JEST_WORKER_ID'] ?? '1'}`);
  mkdirSync(logFolder);
  const cluster = await TestCluster.start({ apis: REPLICAS, settings: SETTINGS, logFolder });
  const redis = new Redis(cluster.redisUrl);
  const { namespace, redisUrl, runDirectory, notes, ports } = cluster;
  const [apis, workers] = [cluster.apis, cluster.workers].map((processes) =>
    processes.map(({ pid, logPath = '' }) => ({ pid, logPath })),
  ) as [StandardProcess[], StandardProcess[]];
  const redisSettings = await readRedisSettings(redis);
  redis.disconnect();
  const nodeIds = (await listNodes(cluster)).map(({ id }) => id);
  const idleProcesses = await countIdle(cluster);
  return { namespace, redisUrl, runDirectory, notes, ports, apis, workers, nodeIds, redisSettings, idleProcesses };
}

interface Node {
  readonly id: string;
  readonly pool: { readonly inUse: number; readonly waiting: number };
}

const listNodes = async (cluster: Reached): Promise<readonly Node[]> =>
  (await call(cluster, '/api/v1/workers', undefined, { key: ADMIN_KEY })).json.workers as Node[];

/** Templates and what they were started with, and a child for each slot. */
const countIdle = ({ workers }: TestCluster): Promise<number> =>
  waitForQuiet('all its processes', () => workers.flatMap(({ pid }) => listAlive(listDescendants(pid))).length, 500);

async function readRedisSettings(redis: Redis): Promise<string[]> {
  const settings = await Promise.all(REDIS_SETTINGS.map((name) => redis.config('GET', name)));
  return settings.flat();
}

const standardFolder = (): string => process.env['PYTHON3_TEST_STANDARD'] ?? '';
