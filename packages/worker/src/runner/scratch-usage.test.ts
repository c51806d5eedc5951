import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { closeSync, linkSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '../../../../test/support/wait-for';
import { readScratchBytes } from './scratch-usage';

const MIB = 1 << 20;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'python3-scratch-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = (enough = 1_000 * MIB, pids: readonly number[] = []): Promise<number | undefined> => readScratchBytes(folder, pids, enough);

const { file, env } = JSON.parse(process.env['PYTHON3_TEST_PYTHON'] ?? '{"file":"/usr/bin/python3","env":{}}') as {
  file: string;
  env: Record<string, string>;
};
const environment = { PATH: process.env['PATH'], ...env };
const python = (code: string): Promise<unknown> => promisify(execFile)(file, ['-I', '-S', '-c', code], { cwd: folder, env: environment });

const started: ChildProcess[] = [];
afterEach(() => started.splice(0).forEach((child) => child.kill('SIGKILL')));

/** Once it has said that. */
async function background(code: string, says: string): Promise<ChildProcess> {
  const child = spawn(file, ['-I', '-c', code], { cwd: folder, env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  started.push(child);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await waitFor(`'${says}'`, () => text.includes(says));
  return child;
}

describe('what a scratch folder holds', () => {
  it('is next to nothing while it is empty', async () => {
    expect(await read()).toBeLessThan(MIB);
  });

  it('counts files at any depth', async () => {
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    writeFileSync(join(folder, 'one'), Buffer.alloc(2 * MIB, 1));
    writeFileSync(join(folder, 'a', 'b', 'two'), Buffer.alloc(3 * MIB, 1));
    expect(await read()).toBeGreaterThanOrEqual(5 * MIB);
    expect(await read()).toBeLessThan(6 * MIB);
  });

  it('counts what a process has open without a name, once it is told of the process', async () => {
    const file = openSync(join(folder, 'nameless'), 'w');
    writeSync(file, Buffer.alloc(4 * MIB, 1));
    unlinkSync(join(folder, 'nameless'));
    expect(await read()).toBeLessThan(MIB);
    expect(await read(1_000 * MIB, [process.pid])).toBeGreaterThanOrEqual(4 * MIB);
    closeSync(file);
  });

  it('does not count what links point to, and holes in files', async () => {
    symlinkSync('/usr', join(folder, 'link'));
    const file = openSync(join(folder, 'hole'), 'w');
    writeSync(file, 'x', 1_000 * MIB);
    closeSync(file);
    expect(await read()).toBeLessThan(MIB);
  });

  it('is more than enough as soon as it is, however much more follows', async () => {
    for (let index = 0; index < 20; index += 1) writeFileSync(join(folder, String(index)), Buffer.alloc(MIB, 1));
    expect(await read(3 * MIB)).toBeGreaterThan(3 * MIB);
    expect(await read(3 * MIB)).toBeLessThan(10 * MIB);
  });

  it('counts files whose names are no text, in folders whose names are none', async () => {
    const inner = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])]);
    mkdirSync(inner);
    writeFileSync(Buffer.concat([inner, Buffer.from([0x2f, 0xfd])]), Buffer.alloc(4 * MIB, 1));
    expect(await read()).toBeGreaterThanOrEqual(4 * MIB);
  });

  it('counts where no path leads, and takes too deep for too much', async () => {
    const descend = (levels: number): string =>
      `import os\nos.chdir("${folder}")\nfor n in range(${levels}):\n    os.mkdir("x" * 200)\n    os.chdir("x" * 200)\nopen("a", "wb").write(b"x" * (4 << 20))`;
    await python(descend(30));
    expect(await read()).toBeGreaterThanOrEqual(4 * MIB);
    expect(await read()).toBeLessThan(5 * MIB);
    await python('import shutil; shutil.rmtree("x" * 200)');
    await python(descend(400));
    expect(await read()).toBeGreaterThan(1_000 * MIB);
    execFileSync('find', [folder, '-mindepth', '1', '-delete']);
  });

  it('counts a file with several names once', async () => {
    writeFileSync(join(folder, 'one'), Buffer.alloc(4 * MIB, 1));
    for (let index = 0; index < 5; index += 1) linkSync(join(folder, 'one'), join(folder, `name ${index}`));
    expect(await read()).toBeLessThan(5 * MIB);
  });

  it('takes more files than anybody needs for too much', async () => {
    await python('for n in range(50_001): open(str(n), "w").close()');
    expect(await read()).toBeGreaterThan(1_000 * MIB);
  });

  it('never leaves the folder, whatever is put in place of one while it counts', async () => {
    // /usr holds far more than that.
    writeFileSync(join(folder, 'file'), Buffer.alloc(MIB, 1));
    const juggle = `import os
os.mkdir("real"); os.symlink("/usr", "link")
os.rename("file", "real/file")
print("up", flush=True)
while True:
    os.rename("real", "other"); os.rename("link", "real"); os.rename("other", "link")
    os.rename("real", "other"); os.rename("link", "real"); os.rename("other", "link")`;
    const child = await background(juggle, 'up');
    // Under each of its folder's names it may be met once, and what is in /usr would be hundreds of times that.
    // A folder that changes all the time may be too much, which is one more than enough.
    const enough = 1e15;
    for (let count = 0; count < 200; count += 1) {
      const bytes = await read(enough);
      expect(bytes === enough + 1 || Number(bytes) < 16 * MIB).toBe(true);
    }
    child.kill('SIGKILL');
  });

  const NAMELESS = `import os
d = os.open("a", os.O_RDWR | os.O_CREAT)
os.write(d, b"x" * (4 << 20))
os.unlink("a")
`;

  it('counts what is open without a name in a process whose first thread has ended', async () => {
    const code = `import _thread, ctypes, time
def live():
    ${NAMELESS.split('\n').join('\n    ')}
    print("up", flush=True)
    time.sleep(60)
_thread.start_new_thread(live, ())
ctypes.CDLL(None).pthread_exit(None)`;
    const child = await background(code, 'up');
    expect(await read(1_000 * MIB, [child.pid as number])).toBeGreaterThanOrEqual(4 * MIB);
    child.kill('SIGKILL');
  });

  it('counts what is mapped and no longer open, or takes it for too much', async () => {
    const code = `${NAMELESS}
import ctypes
libc = ctypes.CDLL(None)
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mmap(None, 4096, 1, 1, d, 0)
os.close(d)
print("up", flush=True)
import time; time.sleep(60)`;
    const child = await background(code, 'up');
    const bytes = await read(1_000 * MIB, [child.pid as number]);
    expect(bytes).toBeGreaterThanOrEqual(4 * MIB);
    child.kill('SIGKILL');
  });

  it('takes what is on its way through a socket for too much, if it stays there', async () => {
    const code = `${NAMELESS}
import socket, time
one, other = socket.socketpair()
socket.send_fds(one, [b"x"], [d])
os.close(d)
print("up", flush=True)
time.sleep(60)`;
    const child = await background(code, 'up');
    expect(await read(1_000 * MIB, [child.pid as number])).toBeGreaterThan(1_000 * MIB);
    child.kill('SIGKILL');
  });

  it('is not known of a folder that is not there', async () => {
    expect(await readScratchBytes(join(folder, 'missing'), [], MIB)).toBeUndefined();
  });
});
