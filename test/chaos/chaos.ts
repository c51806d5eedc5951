import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRedisKeys } from '@python3-cluster/shared';
import { ADMIN_KEY, TestCluster, type TestProcess } from '../support/test-cluster';
import { call } from '../support/call';
import { listDescendants } from '../support/descendants';
import { makeNotesFolder } from '../support/notes';
import { pause } from '../support/pause';
import { TcpProxy } from '../support/tcp-proxy';
import type { Fsync } from '../support/test-redis';
import { ChaosRedis } from './chaos-redis';
import { toFigures, type Disturbance, type EndedJob, type Figures } from './figures';
import { createNotedJob, Load } from './load';
import { overload, type OverloadFigures } from './overload';
import { Prober } from './prober';
import { listLateTurns, listStarvations, type Starvation } from './starvation';

interface Node {
  readonly name: string;
  readonly process: TestProcess;
  /** What it was started with, and its successor is. */
  readonly settings: Record<string, string>;
}

const CALLERS = 4;
const SLOTS = 4;
const OVERLOAD = { queueMaxJobs: 100, jobSeconds: 0.4 };
const SETTLE_MS = 60_000;
/** A disturbance's effects on locks and start markers may show this much after its end. */
const AFTERMATH_MS = 3_000;

const healedAt = ({ healedAt: at, from }: Disturbance): number => at ?? from;

/**
 * A cluster to be broken: two API replicas, three worker nodes (one of them behind a proxy), a Redis with append-only file;
 * all real processes, all its own. `run` puts load on it, has it disturbed, lets it settle, and says what became of every
 * job that was accepted.
 */
export class Chaos {
  readonly nodes: Node[] = [];
  cluster!: TestCluster;
  private redis!: ChaosRedis;
  private proxy!: TcpProxy;
  private readonly directory = mkdtempSync(join(tmpdir(), 'p3-chaos-'));
  private nodeCount = 0;
  private disturbances: Disturbance[] = [];
  private load: Load | undefined;

  static async start(): Promise<Chaos> {
    const chaos = new Chaos();
    chaos.redis = await ChaosRedis.start(chaos.directory);
    chaos.proxy = await TcpProxy.start(chaos.redis.port);
    const settings = { PYTHON3_POOL_MAX: String(SLOTS), PYTHON3_HEALTH_CHECK_SECONDS: '1' };
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
    const since = Date.now();
    const notes = this.createNotes();
    const load = (this.load = new Load(this.cluster, notes, CALLERS));
    const prober = new Prober(this.cluster);
    await pause(300);
    await disturb(this);
    await prober.answered(Math.max(0, ...this.disturbances.map(healedAt)), SETTLE_MS);
    await load.stop();
    await prober.stop();
    const ended = await this.settle([...load.accepted.keys()]);
    const recoveriesMs = this.disturbances.map((each) => prober.recoveryMs(healedAt(each)));
    const { accepted, refused } = load;
    return toFigures({
      accepted,
      ended,
      disturbances: this.disturbances,
      starvations: this.starvations(since),
      recoveriesMs,
      refused,
      latestLoopMs: this.latestLoopMs(since),
      notes,
    });
  }

  /** Kills a worker node with all it runs, and starts another. */
  killNode(): void {
    const [node] = this.nodes.splice(Math.floor(Math.random() * this.nodes.length), 1) as [Node];
    this.cluster.workers.splice(this.cluster.workers.indexOf(node.process), 1);
    this.disturb(node.name);
    node.process.process.kill('SIGKILL');
    this.startNode(node.settings);
  }

  /** Kills a replica under its waiting callers. What it had accepted counts, although they could not be told. */
  async killApi(): Promise<void> {
    const open = await this.redis.ask((redis) => redis.zrange(createRedisKeys(this.cluster.namespace).openJobs('default'), '0', '-1'));
    this.disturb('api');
    const [api] = this.cluster.apis.splice(0, 1) as [TestProcess];
    api.process.kill('SIGKILL');
    this.cluster.ports.splice(0, 1);
    for (const id of open) if (!this.load?.accepted.has(id)) this.load?.accepted.set(id, undefined);
    await this.cluster.startApi();
  }

  /** The policy is that of the Redis that goes down, and of the one that comes back. */
  async restartRedis(signal: 'SIGTERM' | 'SIGKILL', fsync: Fsync): Promise<void> {
    await this.redis.setFsync(fsync);
    const end = this.disturb('*');
    await this.redis.restart(signal, fsync);
    end();
  }

  async pauseRedis(forMs: number): Promise<void> {
    const end = this.disturb('*');
    await this.redis.freeze(forMs);
    end();
  }

  /** One after the other, each with the time to drain: as an operator would, or an orchestrator. */
  async restartNodes(count: number): Promise<void> {
    for (const node of this.nodes.slice(0, count)) {
      this.nodes.splice(this.nodes.indexOf(node), 1);
      this.cluster.workers.splice(this.cluster.workers.indexOf(node.process), 1);
      this.startNode(node.settings);
      await this.cluster.waitForWorkers(this.nodes.length + 1);
      await this.stopInOrder(node.name, node.process);
    }
  }

  /** A replica is replaced before it goes; callers learn of its end when they are refused, or find nobody. */
  async restartApis(count: number): Promise<void> {
    for (const api of this.cluster.apis.slice(0, count)) {
      await this.cluster.startApi();
      await this.stopInOrder('an API replica', api);
      const index = this.cluster.apis.indexOf(api);
      this.cluster.apis.splice(index, 1);
      this.cluster.ports.splice(index, 1);
    }
  }

  /** Sends a replica of its own, with room for few jobs, many times what the cluster can do. */
  async overload(times: number, forMs: number): Promise<{ overload: OverloadFigures; figures: Figures }> {
    await this.cluster.waitForWorkers(this.nodes.length);
    const since = Date.now();
    const notes = this.createNotes();
    const api = await this.cluster.startApi({ PYTHON3_QUEUE_MAX_JOBS: String(OVERLOAD.queueMaxJobs) });
    const makeJob = (number: number) => {
      const delivery = number % 2 === 0 ? 'at-most-once' : 'at-least-once';
      const mark = `overload ${number} ${delivery}`;
      return { mark, job: createNotedJob({ notes, mark, seconds: OVERLOAD.jobSeconds, delivery }) };
    };
    const perSecond = (times * this.nodes.length * SLOTS) / OVERLOAD.jobSeconds;
    const replica = this.cluster.ports.length - 1;
    const readRedisMemory = () => this.redis.readMemoryBytes();
    const figures = await overload({ cluster: this.cluster, replica, pid: api.pid, perSecond, forMs, makeJob, readRedisMemory });
    const ended = await this.settle([...figures.accepted.keys()]);
    const { accepted, sent } = figures;
    const [latestLoopMs, starvations] = [this.latestLoopMs(since), this.starvations(since)];
    await this.stopInOrder('the overloaded replica', api);
    this.cluster.apis.pop();
    this.cluster.ports.pop();
    const refused = sent - accepted.size;
    return {
      overload: figures,
      figures: toFigures({ accepted, ended, disturbances: [], starvations, recoveriesMs: [], refused, latestLoopMs, notes }),
    };
  }

  async cutConnection(how: 'frozen' | 'dropped', forMs: number): Promise<void> {
    const remote = this.nodes.find(({ settings }) => settings['REDIS_URL'] === this.proxy.redisUrl) as Node;
    const end = this.disturb(remote.name);
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
    const end = (): void => {
      disturbance.until = Date.now() + AFTERMATH_MS;
      if (node === '*') disturbance.healedAt = Date.now();
    };
    if (node !== '*') end();
    return end;
  }

  private startNode(settings: Record<string, string> = {}): void {
    const name = `n${(this.nodeCount += 1)}`;
    this.nodes.push({ name, settings, process: this.cluster.startWorker({ PYTHON3_NODE_NAME: name, ...settings }) });
  }

  private createNotes(): string {
    const path = join(makeNotesFolder(), 'notes');
    writeFileSync(path, '');
    chmodSync(path, 0o666);
    return path;
  }

  private async stopInOrder(name: string, stopping: TestProcess): Promise<void> {
    const code = await stopping.stop();
    if (code !== 0) throw new Error(`${name} ended with ${code}: ${stopping.log().slice(-2_000)}`);
  }

  /** Of the processes that still run, by their own logs. */
  private latestLoopMs(since: number): number {
    return Math.max(
      0,
      ...[...this.cluster.apis, ...this.cluster.workers].flatMap((each) => listLateTurns(each.log(), since)).map(({ lateMs }) => lateMs),
    );
  }

  /** Times at which the host did not let a node run, by the node's own log: nobody can renew a lock then. */
  private starvations(since: number): Starvation[] {
    return this.nodes.flatMap(({ name, process: node }) => listStarvations(name, listLateTurns(node.log(), since)));
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
