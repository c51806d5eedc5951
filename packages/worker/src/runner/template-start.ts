import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import {
  ClusterError, encodeFrame, parseTemplateMessage,
  type FrameReader, type JobMode, type Logger, type SandboxSettings, type TemplateMessage, type WorkerControlMessage,
} from '@python3-cluster/shared'; // prettier-ignore
import type { JobsCgroup } from '../sandbox/jobs-cgroup';
import { toLaunch, type TemplateSandbox } from '../sandbox/launch';
import type { PythonCommand } from '../sandbox/python-command';
import { spawnContained } from '../sandbox/spawn-contained';
import type { ChildSocket } from './child-socket';

/** What a template process is started with. */
export interface TemplateStart {
  readonly mode: JobMode;
  readonly python: PythonCommand;
  readonly runnerPath: string;
  readonly socketPath: string;
  readonly preload: readonly string[];
  /** '' for the host's. */
  readonly timeZone: string;
  readonly childSocket: ChildSocket;
  /** null: nothing contains it (isolation level D). */
  readonly sandbox: TemplateSandbox | null;
  /** Where there is one, the process and all it forks are in it. */
  readonly cgroup?: JobsCgroup | undefined;
  readonly logger: Logger;
}

export type TemplateReady = Extract<TemplateMessage, { type: 'ready' }>;

/** Longest wait for the imports of the preload (pandas from a cold disk takes seconds). */
const READY_TIMEOUT_MS = 60_000;
const CONTROL_DESCRIPTOR = 3;

export interface StartedProcess {
  readonly process: ChildProcess;
  /** Rejects where its users could not be given to it; it is killed then. */
  readonly admitted: Promise<void>;
  readonly control: Socket;
}

/** No variable of ours reaches the process: the environment is written anew. */
export function spawnTemplate(options: TemplateStart): StartedProcess {
  const { mode, runnerPath, socketPath, sandbox } = options;
  const command = [options.python.file, '-I', '-B', '-u', runnerPath] as const;
  const launch = toLaunch({ sandbox, mode, runnerPath, socketPath, command: [...command] });
  const { process: child, admitted } = spawnContained(launch, {
    env: { ...options.python.env, ...TEMPLATE_ENVIRONMENT, ...(options.timeZone === '' ? {} : { TZ: options.timeZone }) },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) =>
      options.logger.warn({ mode: options.mode, text: chunk.toString('utf8').slice(0, 2_000) }, 'template says'),
    );
  }
  return { process: child, admitted, control: child.stdio[CONTROL_DESCRIPTOR] as Socket };
}

/**
 * One thread for BLAS and one malloc arena: otherwise libraries reserve memory per core and break on the limits. Symbols of the
 * interpreter are bound at its start: else each child would look up every function of the C library that it is the first to call.
 */
const TEMPLATE_ENVIRONMENT = {
  LD_BIND_NOW: '1',
  PATH: '/usr/local/bin:/usr/bin:/bin',
  LANG: 'C.UTF-8',
  OMP_NUM_THREADS: '1',
  OPENBLAS_NUM_THREADS: '1',
  MKL_NUM_THREADS: '1',
  MALLOC_ARENA_MAX: '2',
};

/** Configures it. @throws ClusterError TEMPLATE_START_FAILED */
export function waitForReady(options: TemplateStart, started: StartedProcess, reader: FrameReader): Promise<TemplateReady> {
  const { process: child, control } = started;
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      clearTimeout(timer);
      control.removeAllListeners('data');
      child.kill('SIGKILL');
      reject(new ClusterError('TEMPLATE_START_FAILED', `The ${options.mode} template did not come up: ${reason}.`));
    };
    const timer = setTimeout(() => fail(`not ready within ${READY_TIMEOUT_MS / 1_000} s`), READY_TIMEOUT_MS);
    // Its last words, why it refused, may still be on their way.
    const onExit = (code: number | null, signal: string | null): void => {
      const failAsEnded = (): void => fail(`it ended with ${signal ?? `exit code ${code}`}`);
      if (control.destroyed) failAsEnded();
      else control.once('close', failAsEnded);
    };
    started.admitted.catch((error: unknown) => fail(`its users could not be given to it: ${String(error)}`));
    child.once('error', (error) => fail(error.message));
    child.once('exit', onExit);
    control.on('error', () => control.destroy());
    const onData = (chunk: Buffer): void => {
      try {
        for (const { header } of reader.push(chunk)) {
          const message = parseTemplateMessage(header);
          if (message.type === 'refused') return fail(`${message.code}: ${message.message}`);
          if (message.type !== 'ready') return fail(`it said '${message.type}' first`);
          clearTimeout(timer);
          child.off('exit', onExit);
          control.off('data', onData);
          return resolve(message);
        }
      } catch (error) {
        fail(String(error));
      }
    };
    control.on('data', onData);
    control.write(
      encodeFrame({
        type: 'configure',
        mode: options.mode,
        socketPath: options.socketPath,
        preload: options.preload,
        sandbox: toSettings(options.sandbox),
      } satisfies WorkerControlMessage),
    );
  });
}

function toSettings(sandbox: TemplateSandbox | null): SandboxSettings | null {
  if (sandbox === null) return null;
  const { layers, uid, firstChildUid, view, workspacesPath, scratch } = sandbox;
  const { namespaces, landlockAbi, seccomp } = layers;
  const { readPaths, writePaths } = view;
  return { uid, namespaces, landlockAbi, seccomp, readPaths, writePaths, workspacesPath, firstChildUid, scratch };
}
