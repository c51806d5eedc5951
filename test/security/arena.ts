import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { arch, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, loadConfig, type Config, type Job, type JobMode } from '@python3-cluster/shared';
import { runInSlot, type RunReport } from '../../packages/worker/src/jobs/run-in-slot';
import type { Child } from '../../packages/worker/src/runner/child';
import { findBubblewrap } from '../../packages/cli/src/provision';
import { createIsolation, type Isolation } from '../../packages/worker/src/sandbox/isolation';
import type { TemplateSandbox } from '../../packages/worker/src/sandbox/launch';
import { StagedRunner } from '../contracts/staged-runner';
import { leaveNote, Lodgings, withLayers, WORKSPACES } from './lodgings';

/**
 * Layers that an attack meets. Only here, by calling the modules with another sandbox than the product would make, can a
 * layer be left out: no setting and no message of the product does it.
 */
export type Defence = 'none' | 'uid' | 'namespaces' | 'landlock' | 'seccomp' | 'all';

export interface Attempt {
  readonly report: RunReport;
  /** What the program said it reached; undefined where it failed or ended. */
  readonly value: unknown;
  readonly error: string | undefined;
}

const CANARY = randomBytes(16).toString('hex');

/**
 * Real templates and workspaces with every combination of layers, and things worth reaching: a process with a secret in its
 * environment, a key file, a port, an abstract socket, a folder anybody may write to.
 */
export class Arena {
  private readonly runners: StagedRunner[] = [];
  private readonly lodgings = new Map<string, Lodgings>();
  private readonly servers: Server[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), 'python3-arena-'));
  /** As long as such a name can be: versions of Node differ in whether they pad it. */
  private readonly abstractName = `\0${`canary-${randomBytes(8).toString('hex')}`.padEnd(107, '.')}`;
  private worker!: ChildProcess;
  /** Workspaces that belong to users of their own, and others that do not. */
  private leased!: StagedRunner;
  private plain!: StagedRunner;
  isolation!: Isolation;
  config!: Config;

  async start(settings: Record<string, string> = {}): Promise<void> {
    this.config = loadConfig({ PYTHON3_ISOLATION: 'D', ...settings }).config;
    this.worker = spawn('sleep', ['1000'], { env: { SECRET: CANARY }, stdio: 'ignore' });
    chmodSync(this.folder, 0o755);
    mkdirSync(join(this.folder, 'open'));
    chmodSync(join(this.folder, 'open'), 0o777);
    writeFileSync(join(this.folder, 'signing.key'), CANARY, { mode: 0o600 });
    for (const address of [{ port: 0, host: '127.0.0.1' }, { path: this.abstractName }]) {
      const server = createServer((socket) => socket.destroy());
      await new Promise<void>((resolve) => server.listen(address, resolve));
      this.servers.push(server);
    }
    this.leased = await this.stage();
    this.plain = await this.stage();
    const logger = createLogger('worker', 'silent');
    const { directory, python } = this.leased;
    const bubblewrap = await findBubblewrap(join(__dirname, '..', '..', '.data'));
    this.isolation = await createIsolation({ config: this.config, python, directory, workspaces: WORKSPACES, bubblewrap, logger });
    if (this.isolation.templateUids) this.leased.childSocket.admit(this.isolation.templateUids);
  }

  async stop(): Promise<void> {
    for (const lodgings of this.lodgings.values()) await lodgings.stop();
    for (const runner of this.runners) await runner.stop();
    for (const server of this.servers) server.close();
    this.worker.kill('SIGKILL');
    this.isolation.release();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Whether this machine and user have the layer: of several, the ones there are stand in `all`. */
  offers(defence: Defence): boolean {
    const { uid, namespaces, landlockAbi, seccomp } = this.isolation.layers;
    return { none: true, all: true, uid, namespaces, landlock: landlockAbi > 0, seccomp }[defence];
  }

  get bareProcess(): number {
    return this.worker.pid as number;
  }

  /** Runs one of `programs/`, while a job of the same mode runs beside it, with files and output of its own. */
  async attack(program: string, mode: JobMode, defence: Defence, variables: object = {}): Promise<Attempt> {
    const neighbour = await this.fork(mode, defence);
    const stop = new AbortController();
    const wait = "import time\nwith open('private', 'w') as file: file.write('mine')\ntime.sleep(60)";
    const waitRestricted = 'import time\ntime.sleep(60)';
    leaveNote(neighbour, 'of the neighbour');
    const sleeping = runInSlot(this.request(neighbour, mode, mode === 'admin' ? wait : waitRestricted, {}, stop.signal));
    const code = readFileSync(join(__dirname, 'programs', `${program}.py`), 'utf8');
    const child = await this.fork(mode, defence);
    const report = await runInSlot(this.request(child, mode, code, { ...this.targets(neighbour), ...variables }));
    stop.abort();
    const left = await sleeping;
    // What it wrote into the other's output counts, whatever it said.
    const forged = left.stdout.bytes.toString();
    const value: unknown = report.answer?.result.hasValue ? JSON.parse(report.answer.value.toString()) : undefined;
    return { report, value: forged === '' ? value : true, error: report.answer?.result.error?.message };
  }

  async run(mode: JobMode, defence: Defence, code: string, variables: object = {}): Promise<Attempt> {
    const child = await this.fork(mode, defence);
    const report = await runInSlot(this.request(child, mode, code, variables));
    const value: unknown = report.answer?.result.hasValue ? JSON.parse(report.answer.value.toString()) : undefined;
    return { report, value, error: report.answer?.result.error?.message };
  }

  fork(mode: JobMode, defence: Defence): Promise<Child> {
    const key = `${mode} ${defence}`;
    const lodgings = this.lodgings.get(key) ?? this.open(mode, defence);
    this.lodgings.set(key, lodgings);
    return lodgings.fork();
  }

  private open(mode: JobMode, defence: Defence): Lodgings {
    const logger = createLogger('worker', 'silent');
    const { templateOptions, directory } = this.runnerFor(defence);
    // Each combination of layers has workspaces of its own.
    const isOwn = defence === 'all';
    const path = isOwn ? directory.workspacesPath(mode) : join(directory.path, `${mode}-${defence}`);
    if (!isOwn) mkdirSync(path, { mode: 0o711 });
    const sandbox = this.sandboxFor(mode, defence, path);
    return new Lodgings({ ...templateOptions, mode, preload: this.config.preload, sandbox }, { path, group: sandbox?.uid ?? null }, logger);
  }

  private sandboxFor(mode: JobMode, defence: Defence, path: string): TemplateSandbox | null {
    const full = this.isolation.sandboxFor(mode);
    if (defence === 'all') return full;
    if (defence === 'none') return null;
    const layers = {
      uid: defence === 'uid',
      namespaces: defence === 'namespaces',
      landlockAbi: defence === 'landlock' ? full.layers.landlockAbi : 0,
      seccomp: defence === 'seccomp',
    };
    return withLayers(full, layers, { mode, path, uid: defence === 'uid' ? full.uid : null });
  }

  private runnerFor(defence: Defence): StagedRunner {
    return defence === 'all' || defence === 'uid' ? this.leased : this.plain;
  }

  private async stage(): Promise<StagedRunner> {
    const runner = new StagedRunner(1 << 20);
    chmodSync(runner.base, 0o711);
    appendFileSync(join(runner.directory.runnerPath, 'python3_cluster_runner', 'guarded_effects.py'), NO_JUDGEMENT);
    await runner.start();
    this.runners.push(runner);
    return runner;
  }

  private targets({ workspace: neighbour }: Child): object {
    return {
      canary: CANARY,
      key_file: join(this.folder, 'signing.key'),
      open_folder: join(this.folder, 'open'),
      other_scratch: neighbour.scratchPath,
      other_stdout: neighbour.stdoutPath,
      worker_pid: this.bareProcess,
      port: (this.servers[0]?.address() as AddressInfo).port,
      abstract_name: this.abstractName.replace('\0', '@'),
      numbers: NUMBERS[arch()],
    };
  }

  /** The policy in Python lets everything through: what holds here is the kernel's. */
  private request(child: Child, mode: JobMode, code: string, variables: object, signal = new AbortController().signal) {
    const job = { kind: 'exec', mode, traceparent: null, limits: { timeoutMs: 30_000, memoryMb: 256, cpuSeconds: 20 } } as unknown as Job;
    const payload = Buffer.from(JSON.stringify({ code, variables }));
    return {
      job,
      payload,
      child,
      config: { ...this.config, blockedModules: [] },
      allowedModules: MODULES,
      processLimit: this.config.maxProcesses,
      signal,
    };
  }
}

/** Of the staged copy of the runner: the audit hook of the policy in Python judges nothing. */
const NO_JUDGEMENT = '\n\ndef _judge(event, arguments):\n    pass\n';

const MODULES = [
  'ctypes', 'errno', 'mmap', 'os', 'resource', 'socket', 'subprocess', 'time', '_thread', 'numpy', 'pandas', 'sqlite3', 'urllib.request',
  'decimal', 'uuid', 'random', 'secrets', 'hashlib', 'zoneinfo', 'datetime', 'json', 'asyncio', 'logging', 'xml.etree',
]; // prettier-ignore

/** System calls that Python has no name for. */
export const NUMBERS: Partial<Record<string, Record<string, number>>> = {
  x64: {
    ptrace: 101, process_vm_writev: 311, pidfd_open: 434, pidfd_getfd: 438, memfd_create: 319, keyctl: 250, add_key: 248, unshare: 272,
    mount: 165, bpf: 321, perf_event_open: 298, userfaultfd: 323, io_uring_setup: 425, shmget: 29, msgget: 68, semget: 64, mq_open: 240,
    open_by_handle_at: 304, kcmp: 312, personality: 135, setns: 308, chroot: 161, clone3: 435, kexec_load: 246, swapon: 167, reboot: 169,
    exit: 60, vmsplice: 278, io_setup: 206, file_getattr: 468,
  },
  arm64: {
    ptrace: 117, process_vm_writev: 271, pidfd_open: 434, pidfd_getfd: 438, memfd_create: 279, keyctl: 219, add_key: 217, unshare: 97,
    mount: 40, bpf: 280, perf_event_open: 241, userfaultfd: 282, io_uring_setup: 425, shmget: 194, msgget: 186, semget: 190, mq_open: 180,
    open_by_handle_at: 265, kcmp: 272, personality: 92, setns: 268, chroot: 51, clone3: 435, kexec_load: 104, swapon: 224, reboot: 142,
    exit: 93, vmsplice: 75, io_setup: 0, file_getattr: 468,
  },
}; // prettier-ignore
