import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '../../../../test/support/wait-for';
import { LimitWatch, type Breach, type WatchedLimits } from './limit-watch';
import { readPrivateBytes, readTreeUsage } from './process-usage';

const python = JSON.parse(process.env['PYTHON3_TEST_PYTHON'] ?? '{"file":"/usr/bin/python3","env":{}}') as {
  file: string;
  env: Record<string, string>;
};
const BUSY = 'while True: pass';
const SLEEP = 'import time; time.sleep(60)';
const EAT = (megabytes: number): string => `block = bytearray(b"x") * (${megabytes} << 20); print("eaten", flush=True); ${SLEEP}`;

const started: ChildProcess[] = [];
const watches: LimitWatch[] = [];
afterEach(async () => {
  for (const watch of watches.splice(0)) watch.stop();
  for (const child of started.splice(0)) {
    const pid = child.pid as number;
    const ended = new Promise((resolve) => child.once('close', resolve));
    // Each leads a group of its own, so that nothing below it is left.
    if (child.exitCode === null && child.signalCode === null) process.kill(-pid, 'SIGKILL');
    else continue;
    await ended;
  }
});

/** A Python process in a group of its own; with `says`, once it has said that. */
async function start(code: string, says?: string): Promise<number> {
  const child = spawn(python.file, ['-I', '-S', '-c', code], {
    env: { PATH: process.env['PATH'], ...python.env },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  started.push(child);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  if (says !== undefined) await waitFor(`'${says}'`, () => text.split(says).length > 1);
  return child.pid as number;
}

const spawnBelow = (code: string, count = 1): string => `
import os, sys
for _ in range(${count}):
    if os.fork() == 0:
        exec(${JSON.stringify(code)})
print("up", flush=True)
`;

const watch = (pid: number, limits: Partial<WatchedLimits>): { breaches: Breach[]; watch: LimitWatch } => {
  const breaches: Breach[] = [];
  const limitWatch = new LimitWatch(pid, { timeoutMs: 60_000, cpuMs: 60_000, memoryBytes: 1 << 30, ...limits }, (breach) =>
    breaches.push(breach),
  );
  watches.push(limitWatch);
  return { breaches, watch: limitWatch };
};

describe('the usage of a process tree', () => {
  it('holds the process and all below it', async () => {
    const pid = await start(spawnBelow(spawnBelow(SLEEP, 2) + SLEEP, 2) + SLEEP, 'up\nup\nup\n');
    const { pids } = readTreeUsage(pid);
    expect(pids[0]).toBe(pid);
    expect(new Set(pids).size).toBe(7);
  });

  it('holds what a thread other than the first has started', async () => {
    const pid = await start(
      `import _thread, os, time
def below():
    if os.fork() == 0:
        time.sleep(60)
    print("up", flush=True)
    time.sleep(60)
_thread.start_new_thread(below, ())
${SLEEP}`,
      'up',
    );
    expect(readTreeUsage(pid).pids).toHaveLength(2);
  });

  it('counts the CPU time of all its processes', async () => {
    const pid = await start(spawnBelow(BUSY, 2) + SLEEP, 'up');
    await waitFor('300 ms of CPU time over the tree', () => readTreeUsage(pid).cpuMs > 300);
    expect(readTreeUsage(pid).pids).toHaveLength(3);
  });

  it('counts the CPU time of those that have ended and were waited for', async () => {
    const code = 'import os\nend = os.times().user + 0.3\nwhile os.times().user < end: pass\nos._exit(0)';
    const pid = await start(`${spawnBelow(code)}os.wait(); print("waited", flush=True); ${SLEEP}`, 'waited');
    const usage = readTreeUsage(pid);
    expect(usage.pids).toEqual([pid]);
    expect(usage.cpuMs).toBeGreaterThanOrEqual(280);
  });

  it('of one that sleeps hardly grows', async () => {
    const pid = await start(`print("up", flush=True); ${SLEEP}`, 'up');
    const before = readTreeUsage(pid).cpuMs;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(readTreeUsage(pid).cpuMs - before).toBeLessThanOrEqual(20);
  });

  it('counts memory over the tree, private and exact where asked', async () => {
    const pid = await start(spawnBelow(EAT(40)) + EAT(40), 'eaten\n');
    await waitFor('both blocks', () => readPrivateBytes(readTreeUsage(pid).pids) > 80 << 20);
    const usage = readTreeUsage(pid);
    expect(usage.residentBytes).toBeGreaterThan(80 << 20);
    expect(readPrivateBytes(usage.pids)).toBeLessThan(120 << 20);
  });

  it('does not count what children share with their parent as private', async () => {
    const pid = await start(`block = bytearray(b"x") * (60 << 20)\n${spawnBelow(SLEEP, 3)}${SLEEP}`, 'up');
    await waitFor('the children', () => readTreeUsage(pid).pids.length === 4);
    const usage = readTreeUsage(pid);
    expect(usage.residentBytes).toBeGreaterThan(60 << 20);
    expect(readPrivateBytes(usage.pids)).toBeLessThan(60 << 20);
  });

  it.each([0, -1, 2 ** 22 + 1, NaN])('of a process that is not there is nothing: %p', (pid) => {
    expect(readTreeUsage(pid)).toEqual({ cpuMs: 0, residentBytes: 0, pids: [] });
    expect(readPrivateBytes([pid])).toBe(0);
  });

  it('is not misled by a command’s name', async () => {
    const pid = await start(`open("/proc/self/comm", "w").write("a) S 1 (b"); print("up", flush=True); ${EAT(20)}`, 'eaten');
    const usage = readTreeUsage(pid);
    expect(usage.residentBytes).toBeGreaterThan(20 << 20);
    expect(usage.residentBytes).toBeLessThan(200 << 20);
    expect(usage.cpuMs).toBeLessThan(5_000);
  });
});

describe('a watch', () => {
  it('tells of the wall clock', async () => {
    const pid = await start(SLEEP);
    const startedAt = performance.now();
    const { breaches } = watch(pid, { timeoutMs: 120 });
    await waitFor('the breach', () => breaches.length > 0);
    expect(breaches).toEqual(['wall']);
    expect(performance.now() - startedAt).toBeGreaterThan(110);
  });

  it('tells of CPU time', async () => {
    const { breaches } = watch(await start(BUSY), { cpuMs: 150 });
    await waitFor('the breach', () => breaches.length > 0);
    expect(breaches).toEqual(['cpu']);
  });

  it('tells of CPU time that no process used alone', async () => {
    const pid = await start(spawnBelow(BUSY, 3) + SLEEP, 'up');
    const { breaches } = watch(pid, { cpuMs: 400 });
    await waitFor('the breach', () => breaches.length > 0);
    expect(breaches).toEqual(['cpu']);
  });

  it('tells of memory, and has seen how much it was', async () => {
    const { breaches, watch: seen } = watch(await start(EAT(80)), { memoryBytes: 50 << 20 });
    await waitFor('the breach', () => breaches.length > 0);
    expect(breaches).toEqual(['memory']);
    expect(seen.peakMemoryBytes).toBeGreaterThan(50 << 20);
  });

  it('tells of memory that no process holds alone', async () => {
    const pid = await start(spawnBelow(EAT(40)) + EAT(40), 'up');
    const { breaches } = watch(pid, { memoryBytes: 70 << 20 });
    await waitFor('the breach', () => breaches.length > 0);
    expect(breaches).toEqual(['memory']);
  });

  it('does not count shared pages against a tree', async () => {
    const pid = await start(`block = bytearray(b"x") * (50 << 20)\n${spawnBelow(SLEEP, 3)}${SLEEP}`, 'up');
    const { breaches, watch: seen } = watch(pid, { memoryBytes: 100 << 20 });
    await waitFor('a look', () => seen.peakMemoryBytes > 0);
    expect(breaches).toEqual([]);
    expect(seen.peakMemoryBytes).toBeLessThan(100 << 20);
  });

  it('tells of a scratch folder that holds too much, after about a second', async () => {
    const path = mkdtempSync(join(tmpdir(), 'python3-scratch-'));
    const { breaches } = watch(await start(SLEEP), { scratch: { path, maxBytes: 1 << 20 } });
    writeFileSync(join(path, 'large'), Buffer.alloc(2 << 20, 1));
    await waitFor('the breach', () => breaches.length > 0);
    rmSync(path, { recursive: true });
    expect(breaches).toEqual(['scratch']);
  });

  it('tells once, and nothing once it is stopped', async () => {
    const pid = await start(BUSY);
    const { breaches } = watch(pid, { cpuMs: 1, timeoutMs: 250 });
    const stopped = watch(pid, { cpuMs: 1, timeoutMs: 250 });
    stopped.watch.stop();
    await waitFor('the breach', () => breaches.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(breaches).toHaveLength(1);
    expect(stopped.breaches).toEqual([]);
  });
});
