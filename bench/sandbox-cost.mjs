// What the sandbox costs a fresh job: the same RESTRICTED job with no layer, with single ones, and with all, in turns in one
// process, so that a busy machine is equally unfair to each. CPU of child, template and this process (the worker node's part).
//
//   npm run build && node bench/sandbox-cost.mjs [jobs per kind]        as root, for the layers of level A
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './root.mjs';
import {
  ChildSocket, createIsolation, createLogger, findBubblewrap, loadConfig, removeRunDirectory, RESTRICTED_MODULES, runInSlot, stageRunner, Template, Workspaces, workspacesFor,
} from './worker-parts.mjs'; // prettier-ignore

const JOBS = Number(process.argv[2] ?? 600);
const TURN = 20;
const WARM_UP = 50;
const KINDS = ['none', 'namespaces', 'landlock', 'seccomp', 'level B', 'level A'];
const config = loadConfig({ PYTHON3_ISOLATION: 'A' }).config;
const bubblewrap = await findBubblewrap(join(root, '.data'));
const logger = createLogger('worker', 'silent');
const payload = Buffer.from('{"code":"result = a + b","variables":{"a":1,"b":2}}');
const limits = { timeoutMs: 20_000, memoryMb: 256, cpuSeconds: 20 };
const job = { kind: 'exec', mode: 'restricted', traceparent: null, limits };

class Side {
  cpuMs = 0;
  async start(kind) {
    this.kind = kind;
    this.directory = stageRunner(config.runDirectory, join(root, 'python', 'runner'));
    this.socket = new ChildSocket(1 << 20);
    await this.socket.listen(this.directory.socketPath);
    const python = { file: process.env.PYTHON3_PATH ?? '/usr/bin/python3', env: {} };
    const { directory, socket: childSocket } = this;
    const count = workspacesFor(1, 0);
    this.isolation = await createIsolation({ config, python, directory, workspaces: { restricted: count, admin: 1 }, bubblewrap, logger });
    if (kind === 'level A' && this.isolation.templateUids) childSocket.admit(this.isolation.templateUids);
    const { runnerPath, socketPath } = directory;
    const sandbox = this.sandbox();
    this.workspaces = new Workspaces({
      path: directory.workspacesPath('restricted'),
      count,
      firstUid: sandbox?.firstChildUid ?? null,
      templateUid: sandbox?.uid ?? null,
      isMounted: sandbox !== null && sandbox.scratch !== null,
      onShortage: () => {},
      logger,
    });
    await this.workspaces.start();
    const onVacant = (workspace) => void this.workspaces.giveBack(workspace);
    this.template = await Template.start({
      mode: 'restricted', python, runnerPath, socketPath, preload: config.preload, timeZone: '', childSocket, sandbox, logger,
      onLost: () => {}, onVacant, onSpoilt: () => {},
    }); // prettier-ignore
  }

  sandbox() {
    const full = this.isolation.sandboxFor('restricted');
    const { kind } = this;
    if (kind === 'none') return null;
    if (kind === 'level A') return full;
    // All but users of its own.
    if (kind === 'level B') return { ...full, layers: { ...full.layers, uid: false }, uid: null, firstChildUid: null };
    const layers = {
      uid: false,
      namespaces: kind === 'namespaces',
      landlockAbi: kind === 'landlock' ? full.layers.landlockAbi : 0,
      seccomp: kind === 'seccomp',
    };
    const { bubblewrap, scratch } = layers.namespaces ? full : { bubblewrap: undefined, scratch: null };
    return { ...full, layers, uid: null, firstChildUid: null, bubblewrap, scratch };
  }

  async run(jobs) {
    const before = process.cpuUsage();
    const templateBefore = cpuMsOf(this.template.pid);
    for (let count = 0; count < jobs; count += 1) {
      const child = await this.template.fork(await this.workspaces.take());
      const signal = new AbortController().signal;
      const report = await runInSlot({
        job,
        payload,
        child,
        config,
        allowedModules: RESTRICTED_MODULES,
        processLimit: config.maxProcesses,
        signal,
      });
      if (report.answer === undefined) throw new Error(`${this.kind}: ${JSON.stringify(report.exit)}`);
      this.cpuMs += report.exit.cpuMs;
    }
    const { user, system } = process.cpuUsage(before);
    this.cpuMs += (user + system) / 1_000 + cpuMsOf(this.template.pid) - templateBefore;
  }

  async stop() {
    await this.template.stop();
    await this.workspaces.close();
    await this.socket.close();
    this.isolation.release();
    removeRunDirectory(this.directory);
  }
}

/** User and system time; ticks of 10 ms. */
function cpuMsOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (user + system) * 10;
}

const sides = [];
for (const kind of KINDS) {
  const side = new Side();
  await side.start(kind);
  sides.push(side);
}
for (const side of sides) {
  await side.run(WARM_UP);
  side.cpuMs = 0;
}
for (let done = 0; done < JOBS; done += TURN) for (const side of sides) await side.run(TURN);
for (const { kind, cpuMs } of sides)
  console.log(`${kind.padEnd(11)} ${(cpuMs / JOBS).toFixed(3)} ms CPU per job, ${(cpuMs / sides[0].cpuMs).toFixed(2)} × none`);
for (const side of sides) await side.stop();
