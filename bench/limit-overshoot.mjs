// How far jobs get past their limits before they are ended: the worst this knows, four processes of ADMIN code at once, in the
// sandbox that this host gives.
//
//   npm run build && node bench/limit-overshoot.mjs [rounds]
import { cpus } from 'node:os';
import { OneMode } from './one-mode.mjs';

const ROUNDS = Number(process.argv[2] ?? 10);
const PROCESSES = 4;
const inProcesses = (code) => `import os, time\nfor index in range(${PROCESSES}):\n    if os.fork() == 0:\n${code}\ntime.sleep(60)`;
const SPINS = inProcesses('        while True: pass');
// Each says how much it has touched: the kernel's own figures are gone with the processes.
const EATS = inProcesses(`        kept = []
        while True:
            kept.append(bytearray(b'x') * (4 << 20))
            os.write(1, b'%d %d\\n' % (index, len(kept)))`);

const node = await OneMode.start({ mode: 'admin', isolation: 'D', preload: ['json'] });

async function run(code, limits) {
  const report = await node.run(await node.fork(), { code, limits });
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
console.log(`level ${node.isolation.level}, ${cpus().length} processors, ${PROCESSES} processes a job, ${ROUNDS} rounds; past the limit:`);
console.log(`wall clock (500 ms)  ${show(over.wall, 'ms')}`);
console.log(`CPU time (1 s)       ${show(over.cpu, 'ms')}`);
console.log(`memory (256 MiB)     ${show(over.memory, 'MiB')}`);
await node.stop();
