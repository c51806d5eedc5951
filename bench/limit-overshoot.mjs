// How far jobs get past their limits before they are ended: the worst this knows, four processes of ADMIN code at once, in the
// sandbox that this host gives.
//
//   npm run build && node bench/limit-overshoot.mjs [rounds]
import { cpus } from 'node:os';
import { join } from 'node:path';
import { root } from './root.mjs';
import {
  ChildSocket, createIsolation, createLogger, findBubblewrap, loadConfig, removeRunDirectory, runInSlot, stageRunner, Template, Workspaces, workspacesFor,
} from './worker-parts.mjs'; // prettier-ignore

const ROUNDS = Number(process.argv[2] ?? 10);
const PROCESSES = 4;
const inProcesses = (code) => `import os, time\nfor index in range(${PROCESSES}):\n    if os.fork() == 0:\n${code}\ntime.sleep(60)`;
const SPINS = inProcesses('        while True: pass');
// Each says how much it has touched: the kernel's own figures are gone with the processes.
const EATS = inProcesses(`        kept = []
        while True:
            kept.append(bytearray(b'x') * (4 << 20))
            os.write(1, b'%d %d\\n' % (index, len(kept)))`);

const config = loadConfig({ PYTHON3_ISOLATION: 'D' }).config;
const logger = createLogger('worker', 'silent');
const directory = stageRunner(config.runDirectory, join(root, 'python', 'runner'));
const childSocket = new ChildSocket(1 << 20);
await childSocket.listen(directory.socketPath);
const python = { file: process.env.PYTHON3_PATH ?? '/usr/bin/python3', env: {} };
const bubblewrap = await findBubblewrap(join(root, '.data'));
const count = workspacesFor(1, 0);
const isolation = await createIsolation({ config, python, directory, workspaces: { restricted: 1, admin: count }, bubblewrap, logger });
if (isolation.templateUids) childSocket.admit(isolation.templateUids);
const { runnerPath, socketPath } = directory;
const sandbox = isolation.level === 'D' ? null : isolation.sandboxFor('admin');
const workspaces = new Workspaces({
  path: directory.workspacesPath('admin'),
  count,
  firstUid: sandbox?.firstChildUid ?? null,
  templateUid: sandbox?.uid ?? null,
  isMounted: sandbox !== null && sandbox.scratch !== null,
  onShortage: () => {},
  logger,
});
await workspaces.start();
const template = await Template.start({
  mode: 'admin', python, runnerPath, socketPath, preload: ['json'], timeZone: '', childSocket, sandbox, logger,
  onLost: () => {}, onVacant: (workspace) => void workspaces.giveBack(workspace), onSpoilt: () => {},
}); // prettier-ignore

async function run(code, limits) {
  const job = { kind: 'exec', mode: 'admin', traceparent: null, limits: { timeoutMs: 30_000, memoryMb: 256, cpuSeconds: 20, ...limits } };
  const payload = Buffer.from(JSON.stringify({ code, variables: {} }));
  const child = await template.fork(await workspaces.take());
  const signal = new AbortController().signal;
  const report = await runInSlot({ job, payload, child, config, allowedModules: [], processLimit: config.maxProcesses, signal });
  return { ...report, touchedMb: sumOfLast(report.stdout.bytes.toString('latin1')) * 4 };
}

/** Of lines of an index and a figure, the last figure of each index; a line that was cut off says nothing. */
function sumOfLast(text) {
  const last = new Map(
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' ')),
  );
  return [...last.values()].reduce((sum, figure) => sum + Number(figure), 0);
}

const over = { wall: [], cpu: [], memory: [] };
for (let round = 0; round < ROUNDS; round += 1) {
  const wall = await run('import time\ntime.sleep(60)', { timeoutMs: 500 });
  const cpu = await run(SPINS, { cpuSeconds: 1 });
  const memory = await run(EATS, { memoryMb: 256 });
  if (`${wall.killReason} ${cpu.killReason} ${memory.killReason}` !== 'wall cpu memory') throw new Error('not ended by its limit');
  over.wall.push(wall.runMs - 500);
  over.cpu.push(cpu.exit.cpuMs - 1_000);
  over.memory.push(memory.touchedMb - 256);
}
const show = (values, unit) => {
  const sorted = values.map(Math.round).sort((one, other) => one - other);
  return `${sorted[Math.floor(sorted.length / 2)]} ${unit} in the middle, ${sorted.at(-1)} ${unit} at most`;
};
console.log(`level ${isolation.level}, ${cpus().length} processors, ${PROCESSES} processes a job, ${ROUNDS} rounds; past the limit:`);
console.log(`wall clock (500 ms)  ${show(over.wall, 'ms')}`);
console.log(`CPU time (1 s)       ${show(over.cpu, 'ms')}`);
console.log(`memory (256 MiB)     ${show(over.memory, 'MiB')}`);
await template.stop();
await workspaces.close();
await childSocket.close();
isolation.release();
removeRunDirectory(directory);
