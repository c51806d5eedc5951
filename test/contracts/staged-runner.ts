import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@python3-cluster/shared';
import { ChildSocket } from '../../packages/worker/src/runner/child-socket';
import { stageRunner, type RunDirectory } from '../../packages/worker/src/run-directory/stage-runner';
import type { Template } from '../../packages/worker/src/runner/template';
import type { PythonCommand } from '../../packages/worker/src/sandbox/python-command';
import type { Child } from '../../packages/worker/src/runner/child';
import type { Workspace } from '../../packages/worker/src/workspaces/workspace';
import type { WorkspaceGroup } from '../../packages/worker/src/sandbox/workspace-group';
import { Workspaces } from '../../packages/worker/src/workspaces/workspaces';
import { listProcessesMentioning } from '../support/test-cluster';
import { waitFor } from '../support/wait-for';

const RUNNER_SOURCE = join(__dirname, '..', '..', 'python', 'runner');

/** More than any test has children at one time. */
const WORKSPACES = 24;

/** The real runner in a run directory of its own, with the socket its children connect to and the workspaces they live in. */
export class StagedRunner {
  readonly base = mkdtempSync(join(tmpdir(), 'python3-runner-'));
  readonly directory: RunDirectory = stageRunner(this.base, RUNNER_SOURCE);
  readonly childSocket: ChildSocket;
  readonly workspaces: Workspaces;
  private readonly logger = createLogger('worker', 'silent');
  readonly python = JSON.parse(process.env['PYTHON3_TEST_PYTHON'] ?? '{"file":"/usr/bin/python3","env":{}}') as PythonCommand;

  constructor(maxValueBytes: number, makeGroup?: (index: number) => WorkspaceGroup | undefined) {
    this.childSocket = new ChildSocket(maxValueBytes);
    // Of neither mode: nothing here is contained. Tests with a sandbox have workspaces in the folders of the modes.
    const path = join(this.directory.path, 'uncontained');
    mkdirSync(path);
    this.workspaces = new Workspaces({
      path,
      count: WORKSPACES,
      firstUid: null,
      templateUid: null,
      isMounted: false,
      makeGroup,
      onShortage: () => undefined,
      logger: this.logger,
    });
  }

  async start(): Promise<void> {
    await Promise.all([this.childSocket.listen(this.directory.socketPath), this.workspaces.start()]);
  }

  async stop(): Promise<void> {
    await this.childSocket.close();
    await this.workspaces.close();
    rmSync(this.base, { recursive: true, force: true });
  }

  get templateOptions() {
    const { python, childSocket, logger } = this;
    const { runnerPath, socketPath } = this.directory;
    const onVacant = (workspace: Workspace): void => void this.workspaces.giveBack(workspace);
    return {
      mode: 'admin' as const, python, runnerPath, socketPath, preload: ['json'], timeZone: '', childSocket, sandbox: null, logger,
      onVacant, onForsaken: onVacant, onSpoilt: () => undefined,
    }; // prettier-ignore
  }

  /** A child in a workspace of its own, which the end of the child gives back. */
  async fork(template: Template): Promise<Child> {
    return template.fork(await this.workspaces.take());
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
