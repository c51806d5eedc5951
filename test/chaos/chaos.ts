import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRedisKeys } from '@python3-cluster/shared';
import { Redis } from 'ioredis';
import { ADMIN_KEY, TestCluster, type TestProcess } from '../support/test-cluster';
import { call, runJob } from '../support/call';
import { listDescendants } from '../support/descendants';
import { TcpProxy } from '../support/tcp-proxy';
import { freePort, startPrivateRedis, type TestRedis } from '../support/test-redis';
import { toFigures, type Disturbance, type EndedJob, type Figures } from './figures';
import { Load } from './load';

export interface Node {
  readonly name: string;
  readonly process: TestProcess;
}

const CALLERS = 4;
const SETTLE_MS = 60_000;
/** A disturbance's effects on locks and start markers may show this much after its end. */
const AFTERMATH_MS = 3_000;

/**
 * A cluster to be broken: two API replicas, three worker nodes (one of them behind a proxy), a Redis with append-only file;
 * all real processes, all its own. `run` puts load on it, has it disturbed, lets it settle, and says what became of every
 * job that was accepted.
 */
export class Chaos {
  readonly nodes: Node[] = [];
  cluster!: TestCluster;
  private redis!: TestRedis;
  private proxy!: TcpProxy;
  private redisPort = 0;
  private readonly directory = mkdtempSync(join(tmpdir(), 'p3-chaos-'));
  private nodeCount = 0;
  private runCount = 0;
  private disturbances: Disturbance[] = [];
  private load: Load | undefined;

  static async start(): Promise<Chaos> {
    const chaos = new Chaos();
    chaos.redisPort = await freePort();
    await chaos.startRedis();
    chaos.proxy = await TcpProxy.start(chaos.redisPort);
    const settings = { PYTHON3_POOL_MAX: '4', PYTHON3_HEALTH_CHECK_SECONDS: '1' };
    chaos.cluster = await TestCluster.start({ redisUrl: chaos.redis.url, apis: 2, workers: 0, settings });
    chaos.startNode({ REDIS_URL: chaos.proxy.redisUrl });
    chaos.startNode();
    chaos.startNode();
    return chaos;
  }

  async stop(): Promise<void> {
    this.proxy.heal();
    try {
      await this.cluster.stop();
    } finally {
      await this.proxy.stop();
      await this.redis.stop();
      rmSync(this.directory, { recursive: true, force: true });
    }
  }

  /** Load, disturbance, and what became of it. */
  async run(disturb: (chaos: Chaos) => Promise<void>): Promise<Figures> {
    await this.cluster.waitForWorkers(this.nodes.length);
    this.disturbances = [];
    const notes = join(this.directory, `notes-${(this.runCount += 1)}`);
    const load = (this.load = new Load(this.cluster, notes, `run ${this.runCount} job`, CALLERS));
    const prober = new Prober(() => this.cluster);
    await pause(300);
    await disturb(this);
    const lastAt = this.disturbances.at(-1)?.from ?? 0;
    await prober.answered(lastAt);
    await load.stop();
    await prober.stop();
    const ended = await this.settle([...load.accepted.keys()]);
    const recoveriesMs = this.disturbances.map(({ from }) => prober.recoveryMs(from));
    const { accepted, refused } = load;
    return toFigures({ accepted, ended, disturbances: this.disturbances, recoveriesMs, refused, notes });
  }

  /** Kills a worker node with all it runs, and starts another. */
  killNode(): void {
    const [node] = this.nodes.splice(1 + Math.floor(Math.random() * (this.nodes.length - 1)), 1) as [Node];
    this.cluster.workers.splice(this.cluster.workers.indexOf(node.process), 1);
    this.disturb(node.name);
    node.process.process.kill('SIGKILL');
    this.startNode();
  }

  /** Kills a replica under its waiting callers. What it had accepted counts, although they could not be told. */
  async killApi(): Promise<void> {
    const open = await this.listOpenJobs();
    this.disturb('api');
    const [api] = this.cluster.apis.splice(0, 1) as [TestProcess];
    api.process.kill('SIGKILL');
    this.cluster.ports.splice(0, 1);
    for (const id of open) if (!this.load?.accepted.has(id)) this.load?.accepted.set(id, undefined);
    await this.cluster.startApi();
  }

  async restartRedis(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const end = this.disturb('*');
    process.kill(this.redis.pid as number, signal);
    await this.redis.stop();
    await this.startRedis();
    end();
  }

  async pauseRedis(forMs: number): Promise<void> {
    const end = this.disturb('*');
    process.kill(this.redis.pid as number, 'SIGSTOP');
    try {
      await pause(forMs);
    } finally {
      process.kill(this.redis.pid as number, 'SIGCONT');
    }
    end();
  }

  async cutConnection(how: 'frozen' | 'dropped', forMs: number): Promise<void> {
    const end = this.disturb((this.nodes[0] as Node).name);
    this.proxy.cut(how);
    await pause(forMs);
    this.proxy.heal();
    end();
  }

  /** Kills a template (a child of a node) or a child (a child of a template) somewhere. */
  killProcess(which: 'template' | 'child'): void {
    const node = this.nodes[Math.floor(Math.random() * this.nodes.length)] as Node;
    const below = listDescendants(node.process.pid);
    const templates = below.filter((pid) => listDescendants(pid).length > 0);
    const candidates = which === 'template' ? templates : below.filter((pid) => !templates.includes(pid));
    const victim = candidates[Math.floor(Math.random() * candidates.length)];
    if (victim === undefined) return;
    this.disturb(node.name);
    try {
      process.kill(victim, 'SIGKILL');
    } catch {
      // It had ended by itself.
    }
  }

  private disturb(node: string): () => void {
    const disturbance: Disturbance = { node, from: Date.now(), until: Infinity };
    this.disturbances.push(disturbance);
    const end = (): void => void (disturbance.until = Date.now() + AFTERMATH_MS);
    if (node !== '*') end();
    return end;
  }

  private startNode(settings: Record<string, string> = {}): void {
    const name = `n${(this.nodeCount += 1)}`;
    this.nodes.push({ name, process: this.cluster.startWorker({ PYTHON3_NODE_NAME: name, ...settings }) });
  }

  private async startRedis(): Promise<void> {
    this.redis = await startPrivateRedis({ port: this.redisPort, directory: this.directory });
  }

  private async listOpenJobs(): Promise<string[]> {
    const redis = new Redis(this.redis.url, { protocol: 2 });
    try {
      return await redis.zrange(createRedisKeys(this.cluster.namespace).openJobs('default'), '0', '-1');
    } finally {
      redis.disconnect();
    }
  }

  /** Asks for every job until it has its outcome, for a time; those that have none by then are missing. */
  private async settle(ids: readonly string[]): Promise<Map<string, EndedJob>> {
    const ended = new Map<string, EndedJob>();
    const deadline = Date.now() + SETTLE_MS;
    for (let open = [...ids]; open.length > 0 && Date.now() < deadline; open = open.filter((id) => !ended.has(id))) {
      for (const id of open) {
        const answer = await call(this.cluster, `/api/v1/jobs/${id}`, undefined, { key: ADMIN_KEY }).catch(() => undefined);
        if (answer?.status === 200 && answer.json.state === 'finished') ended.set(id, answer.json as EndedJob);
      }
      if (ended.size < ids.length) await pause(50);
    }
    return ended;
  }
}

/** Asks a small question over and over, through the last replica, to see when answers come again. */
class Prober {
  private readonly answers: { readonly sentAt: number; readonly answeredAt: number }[] = [];
  private isStopping = false;
  private readonly done: Promise<void>;

  constructor(private readonly cluster: () => TestCluster) {
    this.done = this.probe();
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    await this.done;
  }

  /** Resolves when a question that was sent after this moment is answered. */
  async answered(after: number): Promise<void> {
    const deadline = Date.now() + SETTLE_MS;
    for (let ms = this.recoveryMs(after); ms === Infinity && Date.now() < deadline; ms = this.recoveryMs(after)) await pause(20);
  }

  recoveryMs(after: number): number {
    const first = this.answers.find(({ sentAt }) => sentAt >= after);
    return first ? first.answeredAt - after : Infinity;
  }

  private async probe(): Promise<void> {
    while (!this.isStopping) {
      const sentAt = Date.now();
      const cluster = this.cluster();
      const answer = await runJob(cluster, { code: 'result = 1' }, { replica: cluster.ports.length - 1 }).catch(() => undefined);
      if (answer?.json?.outcome?.value === 1) this.answers.push({ sentAt, answeredAt: Date.now() });
      await pause(100);
    }
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
