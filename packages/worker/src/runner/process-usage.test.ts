import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { itIf } from '../../../../test/support/optional';
import { waitFor } from '../../../../test/support/wait-for';
import { LimitWatch, type Breach, type WatchedLimits } from './limit-watch';
import { readKernelObjects } from './kernel-objects';
import { readPrivateBytes, readTreeMemory, readTreeUsage } from './process-usage';

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

const readProc = (pid: number, name: string): string => readFileSync(`/proc/${pid}/${name}`, 'latin1');

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

  it('counts what two processes share among themselves', async () => {
    const pid = await start(
      `import os\nif os.fork() == 0:\n    ${SLEEP}\nblock = bytearray(b"x") * (60 << 20)\n${spawnBelow(SLEEP)}${SLEEP}`,
      'up',
    );
    await waitFor('all three', () => readTreeUsage(pid).pids.length === 3);
    expect(readTreeMemory(readTreeUsage(pid).pids).bytes).toBeGreaterThan(60 << 20);
    expect(readTreeMemory(readTreeUsage(pid).pids).bytes).toBeLessThan(110 << 20);
  });

  it('counts the memory of a process whose first thread has ended, and finds its children', async () => {
    const pid = await start(
      `import _thread, ctypes, os, time
def live():
    block = bytearray(b"x") * (60 << 20)
    if os.fork() == 0:
        time.sleep(60)
    print("eaten", flush=True)
    time.sleep(60)
_thread.start_new_thread(live, ())
ctypes.CDLL(None).pthread_exit(None)`,
      'eaten',
    );
    await waitFor('the end of the first thread', () => readProc(pid, 'status').includes('State:\tZ'));
    const usage = readTreeUsage(pid);
    expect(usage.pids).toHaveLength(2);
    expect(usage.residentBytes).toBeGreaterThan(60 << 20);
    expect(readTreeMemory(usage.pids).bytes).toBeGreaterThan(60 << 20);
  });

  it('counts page tables, whatever they lead to', async () => {
    const pid = await start(
      `import mmap
area = mmap.mmap(-1, 40 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ)
for at in range(0, 40 << 30, 2 << 20): area[at]
print("looked", flush=True); ${SLEEP}`,
      'looked',
    );
    const usage = readTreeUsage(pid);
    expect(usage.residentBytes).toBeGreaterThan(75 << 20);
    expect(readTreeMemory(usage.pids).bytes).toBeGreaterThan(75 << 20);
  });

  it('of one that has ended and was not waited for is nothing', async () => {
    const pid = await start(`import os\nif os.fork() == 0: os._exit(0)\nprint("up", flush=True)\n${SLEEP}`, 'up');
    await waitFor('its end', () => readTreeUsage(pid).pids.some((one) => readProc(one, 'status').includes('State:\tZ')));
    expect(readTreeMemory(readTreeUsage(pid).pids.slice(1)).bytes).toBe(0);
  });

  it.each([0, -1, 2 ** 22 + 1, NaN])('of a process that is not there is nothing: %p', (pid) => {
    expect(readTreeUsage(pid)).toMatchObject({ cpuMs: 0, residentBytes: 0, pids: [] });
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

describe('what the kernel keeps for a process', () => {
  const kept = async (code: string): Promise<number> =>
    readKernelObjects([await start(`${code}\nprint("up", flush=True); ${SLEEP}`, 'up')]);
  const MIB = 1 << 20;

  it('is little where it does nothing', async () => {
    const bytes = await kept('');
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(2 * MIB);
  });

  it('counts what sockets may hold unread, and those on their way through one', async () => {
    const idle = await kept('');
    const sockets = 'import socket\npairs = [socket.socketpair() for _ in range(20)]';
    const sent = `${sockets}\nfor pair in pairs[1:]:\n    socket.send_fds(pairs[0][0], [b"x"], [end.fileno() for end in pair])\n    for end in pair: end.close()`;
    expect((await kept(sockets)) - idle).toBeGreaterThan(40 * 212_992);
    expect((await kept(sent)) - idle).toBeGreaterThan(40 * 212_992);
  });

  it('counts pipes once for all who have them open', async () => {
    const pipes = await kept('import os\npipes = [os.pipe() for _ in range(50)]');
    expect(pipes - (await kept(''))).toBeGreaterThan(50 * 65_536);
    const pid = await start(`import os\npipes = [os.pipe() for _ in range(50)]\n${spawnBelow(SLEEP, 3)}${SLEEP}`, 'up');
    await waitFor('the children', () => readTreeUsage(pid).pids.length === 4);
    expect((await readKernelObjects(readTreeUsage(pid).pids)) - pipes).toBeLessThan(4 * MIB);
  });

  it('counts locks of parts of files, and more than a thousand of one are too many', async () => {
    const lock = (count: number): string =>
      `import fcntl, tempfile\nfile = tempfile.TemporaryFile()\nfor n in range(${count}): fcntl.lockf(file, fcntl.LOCK_EX, 1, 2 * n)`;
    expect((await kept(lock(500))) - (await kept(lock(1)))).toBeGreaterThan(500 * 200);
    expect(await kept(lock(2_000))).toBe(Infinity);
  });

  it('counts mappings that hold no page', async () => {
    const cut = `import ctypes, mmap
libc = ctypes.CDLL(None)
area = mmap.mmap(-1, 20_000 << 12, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
start = ctypes.addressof(ctypes.c_char.from_buffer(area))
for n in range(0, 20_000, 2): libc.mprotect(ctypes.c_void_p(start + (n << 12)), 4096, 0)`;
    expect((await kept(cut)) - (await kept(''))).toBeGreaterThan(20_000 * 200);
  });

  it('of a process that is gone is nothing', async () => {
    expect(await readKernelObjects([2 ** 22 + 1])).toBe(0);
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

  it('tells of memory that is in no page table', async () => {
    const locks = `import fcntl, tempfile\nfile = tempfile.TemporaryFile()\nfor n in range(2_000): fcntl.lockf(file, fcntl.LOCK_EX, 1, 2 * n)\n${SLEEP}`;
    const { breaches, watch: seen } = watch(await start(locks), {});
    await waitFor('the breach', () => breaches.length > 0);
    expect(breaches).toEqual(['memory']);
    expect(Number.isFinite(seen.peakMemoryBytes)).toBe(true);
  });

  itIf(process.getuid?.() === 0, 'mounting takes root')(
    'counts a scratch folder in memory as memory, and what is mapped of it once',
    async () => {
      const path = mkdtempSync(join(tmpdir(), 'python3-scratch-'));
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=100m,nr_inodes=1000', 'tmpfs', path]);
      const code = `import mmap
with open("${path}/file", "wb+") as file:
    file.write(bytes(60 << 20))
    area = mmap.mmap(file.fileno(), 0)
    sum(area[0::4096])
print("mapped", flush=True); ${SLEEP}`;
      try {
        const pid = await start(code, 'mapped');
        // As the worker node sees what only the job has mounted.
        const scratch = { path: `/proc/${pid}/root${path}`, maxBytes: 1 << 30, isMemory: true };
        const { breaches } = watch(pid, { scratch, memoryBytes: 40 << 20 });
        const roomy = watch(pid, { scratch, memoryBytes: 110 << 20 });
        await waitFor('the breach', () => breaches.length > 0);
        await waitFor('a look', () => roomy.watch.peakMemoryBytes > 60 << 20);
        expect([breaches, roomy.breaches]).toEqual([['memory'], []]);
        expect(roomy.watch.peakMemoryBytes).toBeLessThan(90 << 20);
      } finally {
        execFileSync('umount', ['-l', path]);
        rmSync(path, { recursive: true });
      }
    },
  );

  it('tells of a scratch folder that holds too much', async () => {
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
