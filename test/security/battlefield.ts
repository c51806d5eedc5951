import { appendFileSync, chmodSync, readFileSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createLogger,
  loadConfig,
  RESTRICTED_MODULES,
  type Config,
  type Job,
  type JobLimits,
  type JobMode,
  type OutcomeStatus,
} from '@python3-cluster/shared';
import { judgeRun } from '../../packages/worker/src/jobs/judge-run';
import { runInSlot, type RunReport } from '../../packages/worker/src/jobs/run-in-slot';
import type { Child } from '../../packages/worker/src/runner/child';
import type { TemplateSandbox } from '../../packages/worker/src/sandbox/launch';
import type { Isolation } from '../../packages/worker/src/sandbox/isolation';
import { isAlive, StagedRunner } from '../contracts/staged-runner';
import { NUMBERS } from './arena';
import type { AttackProgram, Layer } from './attack-programs';
import { believeEverything, type Believed } from './gullible-child';
import { leaveNote, Lodgings, withLayers } from './lodgings';
import { Targets } from './targets';
import type { World } from './worlds';

export interface Fight {
  /** See `Targets`; besides: `neighbour`, `template` or `workspace` were disturbed; it `says so`; its `output` is
   * too much; what it `forged` is believed. */
  readonly reached: readonly string[];
  readonly errorType: string | undefined;
  readonly report: RunReport;
}

/**
 * Whose the worker node is where it is not root: nobody else's on the host, or whoever runs the tests. Some attacks end all that
 * is their user's, so tests that run at the same time have different ones.
 */
const PLAIN_USER = process.getuid?.() === 0 ? 64_990 + Number(process.env['JEST_WORKER_ID'] ?? 0) : undefined;

/** Nobody's patience, and what a test allows. */
const WITHOUT_LIMITS = { timeoutMs: 60_000, memoryMb: 2_048, cpuSeconds: 20 };
const WITH_LIMITS = { timeoutMs: 1_500, memoryMb: 128, cpuSeconds: 1 };

const LOW_OUTPUT = 65_536;
const LOW = {
  PYTHON3_MAX_OUTPUT_BYTES: String(LOW_OUTPUT),
  PYTHON3_MAX_FILE_BYTES: '1048576',
  PYTHON3_MAX_OPEN_FILES: '64',
  PYTHON3_MAX_PROCESSES: '32',
  PYTHON3_MAX_SCRATCH_MB: '4',
};
const HIGH = { PYTHON3_MAX_FILE_BYTES: '1099511627776', PYTHON3_MAX_OPEN_FILES: '4096', PYTHON3_MAX_PROCESSES: '4096' };

const SECRET_KEEPER = 'import time\nkept = secret\ntime.sleep(600)';

/** One world: its templates, workspaces and targets. Jobs run through the product's own code; only the layers are chosen here. */
export class Battlefield {
  private readonly world: World;
  private readonly sandboxFor: (mode: JobMode) => TemplateSandbox;
  private readonly targets: Targets;
  private readonly runner = new StagedRunner(1 << 20);
  private readonly config: Config;
  private readonly templateUids: Isolation['templateUids'];
  private readonly lodgings = new Map<JobMode, Lodgings>();
  private readonly neighbours = new Map<JobMode, Neighbour>();
  private readonly end = new AbortController();

  /** `sandboxFor`: with every layer of this host. */
  constructor(world: World, sandboxFor: (mode: JobMode) => TemplateSandbox, templateUids: Isolation['templateUids']) {
    this.world = world;
    this.sandboxFor = sandboxFor;
    const plain = world.user === 'plain user' ? PLAIN_USER : undefined;
    const plainOwners = plain === undefined ? undefined : { restricted: plain, admin: plain };
    this.templateUids = world.layers.has('uid') ? templateUids : plainOwners;
    this.targets = new Targets(plain);
    this.config = loadConfig({ PYTHON3_ISOLATION: 'A', ...(this.has('limits') ? LOW : HIGH) }).config;
  }

  async start(modes: readonly JobMode[]): Promise<void> {
    await this.targets.start();
    chmodSync(this.runner.base, 0o711);
    if (!this.has('policy')) this.change('policy.py', NO_POLICY);
    if (!this.has('privileges')) this.change('sandbox.py', KEEP_PRIVILEGES);
    await this.runner.start();
    if (this.templateUids !== undefined) this.runner.childSocket.admit(this.templateUids);
    for (const mode of modes) await this.settle(mode);
  }

  async stop(): Promise<void> {
    this.end.abort();
    for (const neighbour of this.neighbours.values()) await neighbour.ended.catch(() => undefined);
    for (const lodgings of this.lodgings.values()) await lodgings.stop();
    this.targets.stop();
    await this.runner.stop();
  }

  async fight(attack: AttackProgram, mode: JobMode): Promise<Fight> {
    // What the attack before did, and nobody had seen yet, is this one's to tell.
    const seen = new Set<string>(this.isDisturbed(this.neighbours.get(mode)) ? ['neighbour'] : []);
    const neighbour = await this.settle(mode);
    const lodgings = this.lodgingsOf(mode);
    const variables = { ...this.targets.variables, ...this.whereabouts(neighbour) };
    // In one process, all of an attack's jobs are one.
    const jobs = this.has('fresh') ? attack.jobs : [attack.jobs.join('\n')];
    let report: RunReport | undefined;
    for (const code of jobs) {
      const child = await lodgings.fork().catch(() => undefined);
      if (child === undefined) {
        seen.add('workspace');
        break;
      }
      const believed = this.has('frames') ? undefined : believeEverything(child);
      report = await runInSlot(this.request(child, mode, code, variables, this.end.signal));
      for (const what of seenIn(report, believed, this.limits)) seen.add(what);
      await this.look(mode, seen, wordsOf(report));
      // The next one gets the same.
      await lodgings.vacated(child);
    }
    await this.lookUntil(mode, seen, attack.reaches);
    if (this.world.layers.size === 0) await this.settle(mode);
    if (report === undefined) throw new Error('no job of the attack could begin');
    return { reached: [...seen].sort(), errorType: report.answer?.result.error?.type, report };
  }

  private async look(mode: JobMode, seen: Set<string>, said: string): Promise<void> {
    for (const what of await this.targets.look(said)) seen.add(what);
    if (this.lodgingsOf(mode).isLost) seen.add('template');
    if (this.isDisturbed(this.neighbours.get(mode))) seen.add('neighbour');
  }

  /** Where nothing stops it, it gets there: if not at once, soon. */
  private async lookUntil(mode: JobMode, seen: Set<string>, reached: string): Promise<void> {
    for (let look = 0; this.world.layers.size === 0 && !seen.has(reached) && look < LOOKS; look += 1) {
      await sleep(LOOK_MS);
      await this.look(mode, seen, '');
    }
  }

  /** In the staged copy of the runner, which only this test runs. */
  private change(file: string, text: string): void {
    appendFileSync(join(this.runner.directory.runnerPath, 'python3_cluster_runner', file), text);
  }

  private has(layer: Layer): boolean {
    return this.world.layers.has(layer);
  }

  private lodgingsOf(mode: JobMode): Lodgings {
    const present = this.lodgings.get(mode);
    if (present !== undefined) return present;
    const sandbox = this.sandbox(mode);
    const preload = ['math', 'json', 'datetime', 're', 'random', 'ctypes', 'socket', 'mmap', 'resource', 'subprocess', 'threading'];
    const options = { ...this.runner.templateOptions, mode, preload, sandbox };
    const owner = this.world.user === 'plain user' ? PLAIN_USER : undefined;
    const lodgings = new Lodgings(options, { path: sandbox.workspacesPath, group: sandbox.uid, owner }, createLogger('worker', 'silent'));
    this.lodgings.set(mode, lodgings);
    return lodgings;
  }

  private isDisturbed(neighbour: Neighbour | undefined): boolean {
    return neighbour !== undefined && (!isAlive(neighbour.child.pid) || neighbour.child.workspace.stdout.read(0, 1).bytes.length > 0);
  }

  /** A template, and a job of somebody else in it, with a secret in its memory and in its folder. */
  private async settle(mode: JobMode): Promise<Neighbour> {
    const present = this.neighbours.get(mode);
    if (present !== undefined && !this.isDisturbed(present) && !this.lodgingsOf(mode).isLost) return present;
    if (present !== undefined) {
      present.child.kill();
      await present.ended.catch(() => undefined);
    }
    const child = await this.lodgingsOf(mode).fork();
    const variables = { secret: this.targets.canary };
    leaveNote(child, this.targets.canary);
    const ended = runInSlot(this.request(child, mode, SECRET_KEEPER, variables, this.end.signal, PATIENCE));
    const neighbour = { child, ended };
    this.neighbours.set(mode, neighbour);
    return neighbour;
  }

  private sandbox(mode: JobMode): TemplateSandbox {
    const full = this.sandboxFor(mode);
    const plain = this.world.user === 'plain user' ? (PLAIN_USER ?? null) : null;
    const layers = {
      uid: this.has('uid'),
      namespaces: this.has('namespaces'),
      landlockAbi: this.has('landlock') ? full.layers.landlockAbi : 0,
      seccomp: this.has('seccomp'),
    };
    const path = this.runner.directory.workspacesPath(mode);
    return withLayers(full, layers, { mode, path, uid: this.has('uid') ? full.uid : plain });
  }

  private whereabouts({ child }: Neighbour): object {
    return {
      other_pid: readInnermostPid(child.pid),
      other_scratch: child.workspace.scratchPath,
      other_stdout: child.workspace.stdoutPath,
      child_socket: this.runner.directory.socketPath,
      runner_folder: this.runner.directory.runnerPath,
      numbers: NUMBERS[arch()],
    };
  }

  private request(child: Child, mode: JobMode, code: string, variables: object, signal: AbortSignal, limits = this.limits) {
    const job = { kind: 'exec', mode, traceparent: null, limits } as unknown as Job;
    const payload = Buffer.from(JSON.stringify({ code, variables }));
    return {
      job,
      payload,
      child,
      config: this.config,
      allowedModules: RESTRICTED_MODULES,
      processLimit: this.config.maxProcesses,
      signal,
    };
  }

  private get limits() {
    return this.has('limits') ? WITH_LIMITS : WITHOUT_LIMITS;
  }
}

const LOOKS = 100;
const LOOK_MS = 20;

/** What it said does not count then. */
const OVER_LIMITS: readonly OutcomeStatus[] = ['timed_out', 'cpu_exceeded', 'out_of_memory'];

/** Of a child that could not even begin: its workspace is not as it should be. */
const SETUP_FAILED = 70;

interface Neighbour {
  readonly child: Child;
  readonly ended: Promise<RunReport>;
}

const PATIENCE = { timeoutMs: 600_000, memoryMb: 512, cpuSeconds: 60 };

/** Nothing is given up but what a layer takes; what the template would then find missing it does not look for. */
const KEEP_PRIVILEGES = `

Capabilities.take = lambda self: None
_clear_ambient_capabilities = lambda: None

def _control(option, first=0, second=0):
    if option != _PR_SET_DUMPABLE:
        control(option, first, second)

Sandbox._check_end = lambda self, settings: None
`;

/** A job of either mode is judged as one of ADMIN code without blocked modules. */
const NO_POLICY = `

class Policy(Policy):
    def __init__(self, mode, allowed_modules, blocked_modules):
        super().__init__("admin", allowed_modules, ())
`;

/** As its template calls it. */
function readInnermostPid(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^NSpid:\t(.*)$/m.exec(status)?.[1]?.split('\t').at(-1));
}

function seenIn(report: RunReport, believed: Believed | undefined, limits: JobLimits): string[] {
  const { answer, stdout, exit } = report;
  const isOver = OVER_LIMITS.includes(judgeRun(report, limits).status) || report.killReason === 'scratch';
  const value = answer?.result.hasValue === true && !isOver ? answer.value.toString() : '';
  const words = believed ?? [answer?.result.status, answer?.result.nonce, value, exit];
  return [
    ...(value === 'true' ? ['says so'] : []),
    ...(stdout.bytes.length > LOW_OUTPUT ? ['output'] : []),
    ...(exit.exitCode === SETUP_FAILED ? ['workspace'] : []),
    ...(JSON.stringify(words).includes('forged') ? ['forged'] : []),
  ];
}

function wordsOf({ answer, stdout, stderr }: RunReport): string {
  const { error } = answer?.result ?? {};
  return [answer?.value, stdout.bytes, stderr.bytes, error?.message, error?.traceback].map(String).join('\n');
}
