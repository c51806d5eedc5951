// What the sandbox costs a fresh job: the same RESTRICTED job with no layer, with single ones, and with all, in turns in one
// process, so that a busy machine is equally unfair to each. CPU of child, template and this process (the worker node's part).
//
//   npm run build && node bench/sandbox-cost.mjs [jobs per kind]        as root, for the layers of level A
import { OneMode, statOf } from './one-mode.mjs';

const JOBS = Number(process.argv[2] ?? 600);
const TURN = 20;
const WARM_UP = 50;
const KINDS = ['none', 'namespaces', 'landlock', 'seccomp', 'level B', 'level A'];
const job = { code: 'result = a + b', variables: { a: 1, b: 2 } };
const [UTIME, STIME, TICK_MS] = [14, 15, 10];

class Side {
  cpuMs = 0;
  async start(kind) {
    this.kind = kind;
    this.node = await OneMode.start({ mode: 'restricted', chooseSandbox: (full) => sandboxOf(kind, full) });
  }

  async run(jobs) {
    const { node } = this;
    const before = process.cpuUsage();
    const templateBefore = cpuMsOf(node.template.pid);
    for (let count = 0; count < jobs; count += 1) {
      const report = await node.run(await node.fork(), job);
      if (report.answer === undefined) throw new Error(`${this.kind}: ${JSON.stringify(report.exit)}`);
      this.cpuMs += report.exit.cpuMs;
    }
    const { user, system } = process.cpuUsage(before);
    this.cpuMs += (user + system) / 1_000 + cpuMsOf(node.template.pid) - templateBefore;
  }
}

function sandboxOf(kind, full) {
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

function cpuMsOf(pid) {
  const field = statOf(pid);
  return (field(UTIME) + field(STIME)) * TICK_MS;
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
for (const { node } of sides) await node.stop();
