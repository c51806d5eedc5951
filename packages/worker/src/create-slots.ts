import { JOB_MODES, type Config, type JobMode, type Logger } from '@python3-cluster/shared';
import { Pool } from './pool/pool';
import { ChildSocket } from './runner/child-socket';
import { removeRunDirectory, stageRunner, type RunDirectory } from './run-directory/stage-runner';
import { RUNNER_SOURCE } from './run-directory/runner-source';
import type { TemplateReady } from './runner/template';
import type { PythonCommand } from './sandbox/python-command';
import { TemplateKeeper } from './runner/template-keeper';
import { TemplateKeepers } from './runner/template-keepers';
import { createIsolation, type Isolation } from './sandbox/isolation';
import { Workspaces, workspacesFor } from './workspaces/workspaces';
import { createJobsCgroup, type JobsCgroup } from './sandbox/jobs-cgroup';
import { createProcessLimit, type ProcessLimit } from './sandbox/process-limit';

/** `python/runner` of the checkout or the image. */

export interface SlotsParts {
  readonly config: Config;
  readonly secretFiles: readonly string[];
  readonly python: PythonCommand;
  /** Where bwrap(1) is, or why there is none. */
  readonly bubblewrap: string | { readonly missing: string };
  readonly logger: Logger;
}

export interface SlotsOptions extends SlotsParts {
  /** Ends a child that is kept, where a job of that mode waits for a workspace. */
  readonly endKept: (mode: JobMode) => void;
}

/** All of a worker node that runs code. */
export interface Slots {
  readonly pool: Pool;
  readonly templates: TemplateKeepers;
  readonly isolation: Isolation;
  readonly processLimit: ProcessLimit;
  readonly python: TemplateReady;
  /** Where its sockets and scratch folders are. */
  readonly runPath: string;
  /** Call it when no job runs any more. */
  stop(): Promise<void>;
}

/**
 * Run directory → socket → control group, what isolation there is → templates and slots, side by side. What did come up is taken down
 * again if the rest does not.
 * @throws ClusterError TEMPLATE_START_FAILED, ISOLATION_INSUFFICIENT, CONFIG_INVALID
 */
export async function createSlots({ config, secretFiles, python, bubblewrap, logger, endKept }: SlotsOptions): Promise<Slots> {
  const directory = stageRunner(config.runDirectory, RUNNER_SOURCE);
  const childSocket = new ChildSocket(config.maxValueBytes);
  const cgroup = await takeCgroup(logger);
  let isolation: Isolation | undefined;
  let templates: TemplateKeepers | undefined;
  let workspaces: readonly Workspaces[] = [];
  let processLimit: ProcessLimit | undefined;
  const pool = createPool(config);
  const takeDown = async (): Promise<void> => {
    processLimit?.stop();
    pool.close();
    await childSocket.close();
    await Promise.all(workspaces.map((ofMode) => ofMode.close()));
    await cgroup?.remove();
    removeRunDirectory(directory);
    isolation?.release();
  };
  try {
    await childSocket.listen(directory.socketPath);
    const counts = countWorkspaces(config);
    isolation = await createIsolation({ config, secretFiles, python, directory, workspaces: counts, bubblewrap, logger });
    if (isolation.templateUids) childSocket.admit(isolation.templateUids);
    const byMode = createWorkspaces({ counts, isolation, cgroup, endKept, logger });
    workspaces = Object.values(byMode);
    await Promise.all(workspaces.map((ofMode) => ofMode.start()));
    templates = createTemplateKeepers({ config, python, directory, childSocket, isolation, workspaces: byMode, cgroup, logger });
    processLimit = createProcessLimit(config.maxProcesses, isolation);
    const [ready] = await Promise.all([templates.start(), processLimit.start()]);
    const started = templates;
    return { pool, templates, isolation, processLimit, python: ready, runPath: directory.path, stop: () => started.stop().then(takeDown) };
  } catch (error) {
    templates?.kill();
    await takeDown();
    throw error;
  }
}

async function takeCgroup(logger: Logger): Promise<JobsCgroup | undefined> {
  const cgroup = await createJobsCgroup({ logger });
  if ('missing' in cgroup) logger.debug({ reason: cgroup.missing }, 'jobs have no control group of their own');
  else logger.info({ path: cgroup.path, controllers: cgroup.controllers }, 'each job has a control group of its own');
  return 'missing' in cgroup ? undefined : cgroup;
}

function createPool(config: Config): Pool {
  return new Pool({
    min: config.poolMin,
    max: config.poolMax,
    borrowWaitMs: config.borrowWaitSeconds * 1_000,
    idleMs: config.poolIdleSeconds * 1_000,
  });
}

/** ADMIN code is rare; a megabyte kept for it is enough of a head start. */
const IDLE_CHILDREN: Readonly<Record<JobMode, number>> = { restricted: 2, admin: 1 };

type ByMode<T> = Readonly<Record<JobMode, T>>;

function countWorkspaces({ poolMax }: Config): ByMode<number> {
  return { restricted: workspacesFor(poolMax, IDLE_CHILDREN.restricted), admin: workspacesFor(poolMax, IDLE_CHILDREN.admin) };
}

interface WorkspacesParts {
  readonly counts: ByMode<number>;
  readonly isolation: Isolation;
  readonly cgroup: JobsCgroup | undefined;
  readonly endKept: (mode: JobMode) => void;
  readonly logger: Logger;
}

function createWorkspaces({ counts, isolation, cgroup, endKept, logger }: WorkspacesParts): ByMode<Workspaces> {
  const create = (mode: JobMode): Workspaces => {
    const { uid: templateUid, firstChildUid: firstUid, scratch, workspacesPath: path } = isolation.sandboxFor(mode);
    const onShortage = (): void => endKept(mode);
    const makeGroup = (index: number) => cgroup?.makeGroup(`${mode}-${index}`);
    return new Workspaces({ path, count: counts[mode], firstUid, templateUid, isMounted: scratch !== null, makeGroup, onShortage, logger });
  };
  return { restricted: create('restricted'), admin: create('admin') };
}

interface TemplateParts {
  readonly config: Config;
  readonly python: PythonCommand;
  readonly directory: RunDirectory;
  readonly childSocket: ChildSocket;
  readonly isolation: Isolation;
  readonly workspaces: ByMode<Workspaces>;
  readonly cgroup: JobsCgroup | undefined;
  readonly logger: Logger;
}

// prettier-ignore
function createTemplateKeepers(
  { config, python, directory, childSocket, isolation, workspaces, cgroup, logger }: TemplateParts,
): TemplateKeepers {
  const { runnerPath, socketPath } = directory;
  const wearLimits = {
    forks: config.templateMaxForks,
    ageMs: config.templateMaxAgeSeconds * 1_000,
    grownBytes: config.templateMaxGrowthMb * 1_048_576,
  };
  const common = {
    python,
    runnerPath,
    socketPath,
    preload: config.preload,
    timeZone: config.timeZone,
    childSocket,
    cgroup,
    logger,
    wearLimits,
  };
  const keep = (mode: JobMode): TemplateKeeper =>
    new TemplateKeeper({
      ...common,
      mode,
      sandbox: isolation.sandboxFor(mode),
      workspaces: workspaces[mode],
      idleChildren: () => IDLE_CHILDREN[mode],
    });
  return new TemplateKeepers(JOB_MODES.map(keep));
}
