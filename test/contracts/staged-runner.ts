import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@python3-cluster/shared';
import { ChildSocket } from '../../packages/worker/src/runner/child-socket';
import { stageRunner, type RunDirectory } from '../../packages/worker/src/runner/stage-runner';
import type { PythonCommand } from '../../packages/worker/src/runner/template';
import { listProcessesMentioning } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

const RUNNER_SOURCE = join(__dirname, '..', '..', 'python', 'runner');

/** The real runner in a run directory of its own, with the socket its children connect to. */
export class StagedRunner {
  readonly base = mkdtempSync(join(tmpdir(), 'python3-runner-'));
  readonly directory: RunDirectory = stageRunner(this.base, RUNNER_SOURCE);
  readonly childSocket: ChildSocket;
  readonly python = JSON.parse(process.env['PYTHON3_TEST_PYTHON'] ?? '{"file":"/usr/bin/python3","env":{}}') as PythonCommand;

  constructor(maxValueBytes: number) {
    this.childSocket = new ChildSocket(maxValueBytes);
  }

  start(): Promise<void> {
    return this.childSocket.listen(this.directory.socketPath);
  }

  async stop(): Promise<void> {
    await this.childSocket.close();
    rmSync(this.base, { recursive: true, force: true });
  }

  get templateOptions() {
    const { python, childSocket } = this;
    const { runnerPath, socketPath } = this.directory;
    const logger = createLogger('worker', 'silent');
    return { mode: 'admin' as const, python, runnerPath, socketPath, preload: ['json'], timeZone: '', childSocket, sandbox: null, logger };
  }

  /** Templates name the staged runner on their command line, and what they fork inherits that. */
  pids(): number[] {
    return listProcessesMentioning(this.directory.path).filter(isAlive);
  }

  /** Templates are this process's own children. */
  templatePids(): number[] {
    return this.pids().filter((pid) => statOf(pid)?.split(') ')[1]?.split(' ')[1] === String(process.pid));
  }

  allGone(): Promise<boolean> {
    return waitFor('every process to be gone', () => this.pids().length === 0);
  }
}

export const isAlive = (pid: number): boolean => {
  const stat = statOf(pid);
  return stat !== undefined && !stat.includes(') Z ');
};

export const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);

function statOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
}
