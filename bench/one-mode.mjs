// One mode's half of a worker node, for measuring it without Redis and API: socket, isolation, workspaces, one template.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './root.mjs';
import {
  ChildSocket, createIsolation, createLogger, findBubblewrap, loadConfig, removeRunDirectory, RESTRICTED_MODULES, runInSlot, stageRunner, Template, Workspaces, workspacesFor,
} from './worker-parts.mjs'; // prettier-ignore

const logger = createLogger('worker', 'silent');
export const python = { file: process.env.PYTHON3_PATH ?? '/usr/bin/python3', env: {} };

export class OneMode {
  /** `chooseSandbox`: what of the host's isolation the template gets; all of it unless told otherwise. */
  static async start({ mode, isolation = 'A', preload, chooseSandbox = (full) => full }) {
    const self = new OneMode();
    const config = (self.config = loadConfig({ PYTHON3_ISOLATION: isolation }).config);
    self.mode = mode;
    self.directory = stageRunner(config.runDirectory, join(root, 'python', 'runner'));
    self.socket = new ChildSocket(1 << 20);
    await self.socket.listen(self.directory.socketPath);
    const count = workspacesFor(1, 0);
    const workspaces = { restricted: 1, admin: 1, [mode]: count };
    const bubblewrap = await findBubblewrap(join(root, '.data'));
    self.isolation = await createIsolation({ config, python, directory: self.directory, workspaces, bubblewrap, logger });
    const sandbox = chooseSandbox(self.isolation.level === 'D' ? null : self.isolation.sandboxFor(mode));
    if (sandbox?.uid != null && self.isolation.templateUids) self.socket.admit(self.isolation.templateUids);
    self.workspaces = new Workspaces({
      path: self.directory.workspacesPath(mode),
      count,
      firstUid: sandbox?.firstChildUid ?? null,
      templateUid: sandbox?.uid ?? null,
      isMounted: sandbox !== null && sandbox.scratch !== null,
      onShortage: () => {},
      logger,
    });
    await self.workspaces.start();
    const { runnerPath, socketPath } = self.directory;
    self.template = await Template.start({
      mode, python, runnerPath, socketPath, preload: preload ?? config.preload, timeZone: '', childSocket: self.socket, sandbox, logger,
      onLost: () => {}, onVacant: (workspace) => void self.workspaces.giveBack(workspace), onForsaken: () => {}, onSpoilt: () => {},
    }); // prettier-ignore
    return self;
  }

  async fork() {
    return this.template.fork(await this.workspaces.take());
  }

  /** One job in a child, which is asked to stay or not; the child ends by itself where it is not. */
  run(child, { code, variables = {}, limits = {}, keep = false }) {
    const all = { timeoutMs: 30_000, memoryMb: 256, cpuSeconds: 20, ...limits };
    return runInSlot({
      job: { kind: 'exec', mode: this.mode, traceparent: null, limits: all },
      payload: Buffer.from(JSON.stringify({ code, variables })),
      child,
      config: this.config,
      allowedModules: RESTRICTED_MODULES,
      processLimit: this.config.maxProcesses,
      signal: new AbortController().signal,
      keep,
    });
  }

  async stop() {
    await this.template.stop();
    await this.workspaces.close();
    await this.socket.close();
    this.isolation.release();
    removeRunDirectory(this.directory);
  }
}

/** A process's fields of /proc/<pid>/stat (proc(5)), numbered as there. */
export function statOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (number) => Number(fields[number - 3]);
}
