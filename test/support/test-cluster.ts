import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findHostPid } from './host-pids';
import { makeNotesFolder, notesRoot } from './notes';
import { freePort } from './test-redis';
import { removeAbandoned } from '../../packages/worker/src/run-directory/stage-runner';
import { waitFor } from './wait-for';

export const ADMIN_KEY = 'admin-key-of-the-tests-0123456789abcdef';
export const DEVELOPER_KEY = 'developer-key-of-the-tests-0123456789ab';
export const SIGNING_KEY = 'signing-key-of-the-tests-0123456789abcdef';
const COMMAND = join(__dirname, '..', '..', 'packages', 'cli', 'bin', 'python3-cluster.js');

export interface TestProcess {
  readonly pid: number;
  readonly process: ChildProcess;
  /** Of one that outlives its test file. */
  readonly logPath?: string;
  /** Everything it logged so far. */
  log(): string;
  /** SIGTERM, and the exit code it ends with. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface TestClusterOptions {
  readonly workers?: number;
  readonly apis?: number;
  readonly redisUrl?: string;
  readonly settings?: Record<string, string>;
  /** Where its processes log to. With it they outlive the test file that started them, and end with its Jest worker. */
  readonly logFolder?: string;
}

/** Real processes as on a host: API replicas and worker nodes over the tests' Redis, under a namespace of their own. */
export class TestCluster {
  readonly namespace = `t-${randomBytes(5).toString('hex')}`;
  readonly redisUrl: string;
  readonly apis: TestProcess[] = [];
  readonly workers: TestProcess[] = [];
  readonly ports: number[] = [];
  /** Run directories of the worker nodes. */
  readonly runDirectory = makePassable(mkdtempSync(join(tmpdir(), 'p3t-')));
  /** ADMIN code may write here. */
  readonly notes = makeNotesFolder();
  private readonly settings: Record<string, string>;
  private readonly logFolder: string | undefined;

  private constructor(options: TestClusterOptions) {
    this.redisUrl = options.redisUrl ?? process.env['PYTHON3_TEST_REDIS_URL'] ?? '';
    this.settings = options.settings ?? {};
    this.logFolder = options.logFolder;
  }

  static async start(options: TestClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(options);
    try {
      for (let index = 0; index < (options.apis ?? 1); index += 1) await cluster.startApi();
      for (let index = 0; index < (options.workers ?? 1); index += 1) cluster.startWorker();
      if ((options.workers ?? 1) > 0) await cluster.waitForWorkers(options.workers ?? 1);
    } catch (error) {
      const logs = [...cluster.apis, ...cluster.workers].map((started) => started.log()).join('\n---\n');
      await cluster.stop().catch(() => undefined);
      throw new Error(`the cluster did not come up: ${String(error)}\n${logs}`, { cause: error });
    }
    return cluster;
  }

  url(path = '', replica = 0): string {
    return `http://127.0.0.1:${this.ports[replica]}${path}`;
  }

  async startApi(settings: Record<string, string> = {}): Promise<TestProcess> {
    const port = await freePort();
    const api = this.spawn('api', [], {
      PORT: String(port),
      PYTHON3_ADMIN_APIKEY: ADMIN_KEY,
      PYTHON3_DEVELOPER_APIKEY: DEVELOPER_KEY,
      ...settings,
    });
    this.apis.push(api);
    this.ports.push(port);
    const replica = this.ports.length - 1;
    await waitFor('the API to listen', () => this.answers(replica, api));
    return api;
  }

  /** `through`: a program and its arguments that start the worker node, with less than this process may do. */
  startWorker(settings: Record<string, string> = {}, through: readonly string[] = []): TestProcess {
    const worker = this.spawn('worker', through, {
      PYTHON3_RUN_DIRECTORY: this.runDirectory,
      PYTHON3_ADMIN_WRITE_PATHS: notesRoot(),
      ...settings,
    });
    this.workers.push(worker);
    return worker;
  }

  /** The process on this host that calls itself by this number in ADMIN mode, on the worker node of that scratch folder. */
  hostPid(pid: number, scratchPath: string): number {
    return findHostPid(pid, scratchPath);
  }

  async waitForWorkers(count: number): Promise<void> {
    await waitFor(`${count} worker nodes`, async () => {
      const ended = this.workers.find((worker) => worker.process.exitCode !== null);
      if (ended && this.workers.length <= count) throw new Error(`a worker node ended: ${ended.log()}`);
      const response = await fetch(this.url('/api/v1/workers'), { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
      return ((await response.json()) as { workers: unknown[] }).workers.length === count;
    });
  }

  /** Stops everything, and fails if anything of it is left: processes, or files of worker nodes. */
  async stop(): Promise<void> {
    const processes = [...this.apis, ...this.workers];
    await Promise.all(processes.map((started) => started.stop()));
    const left = listProcessesMentioning(this.runDirectory);
    // What killed nodes left is the next node's to sweep; here there is none.
    if (existsSync(this.runDirectory)) removeAbandoned(this.runDirectory);
    const files = existsSync(this.runDirectory) ? readdirSync(this.runDirectory) : [];
    for (const directory of [this.runDirectory, this.notes]) rmSync(directory, { recursive: true, force: true });
    if (left.length > 0) throw new Error(`processes were left behind: ${left.join(', ')}`);
    if (files.length > 0) throw new Error(`files were left behind: ${files.join(', ')}`);
  }

  private async answers(replica: number, api: TestProcess): Promise<boolean> {
    if (api.process.exitCode !== null) throw new Error(`the API ended: ${api.log()}`);
    try {
      return (await fetch(this.url('/health/live', replica))).ok;
    } catch {
      return false;
    }
  }

  private spawn(command: 'api' | 'worker', through: readonly string[], settings: Record<string, string>): TestProcess {
    const environment = {
      PATH: process.env['PATH'],
      REDIS_URL: this.redisUrl,
      PYTHON3_SIGNING_KEY: SIGNING_KEY,
      PYTHON3_NAMESPACE: this.namespace,
      ...this.settings,
      ...settings,
    };
    const [file, ...args] = [...through, process.execPath, COMMAND, command];
    if (this.logFolder === undefined) return spawnLogged(file, args, environment);
    return spawnOutliving(file, [...args, '--stop-with-parent'], environment, mkdtempSync(join(this.logFolder, `${command}-`)));
  }
}

/** Slots with users of their own go through it. */
function makePassable(directory: string): string {
  chmodSync(directory, 0o711);
  return directory;
}

/** `detached`: in a process group of its own, which a terminal's Ctrl-C would reach as a whole. */
export function spawnLogged(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd = tmpdir(),
  { detached = false } = {},
): TestProcess {
  const child = spawn(file, args, { env, cwd, detached, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  return {
    pid: child.pid ?? 0,
    process: child,
    log: () => text,
    stop: (signal = 'SIGTERM') => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      return exited;
    },
  };
}

/** Logs into a file, and stops when this process ends: its standard input does then. It keeps nothing here from ending. */
function spawnOutliving(file: string, args: readonly string[], env: NodeJS.ProcessEnv, logFolder: string): TestProcess {
  const logPath = join(logFolder, 'log');
  const logFile = openSync(logPath, 'w');
  const child = spawn(file, args, { env, cwd: tmpdir(), stdio: ['pipe', logFile, logFile] });
  closeSync(logFile);
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  child.unref();
  (child.stdin as Socket | null)?.unref();
  return {
    pid: child.pid ?? 0,
    process: child,
    logPath,
    log: () => readFileSync(logPath, 'utf8'),
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return exited;
    },
  };
}

/** Pids of living processes whose command line or working directory mentions the text. */
export function listProcessesMentioning(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    });
}
