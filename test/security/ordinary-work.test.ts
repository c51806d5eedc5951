import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JobMode } from '@python3-cluster/shared';
import { canImport, itIf } from '../support/optional';
import { Arena } from './arena';

const MODES: readonly JobMode[] = ['restricted', 'admin'];
const arena = new Arena();
let server: Server;
beforeAll(async () => {
  await arena.start();
  server = createServer((_, response) => response.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  server.close();
  await arena.stop();
});

const valueOf = async (mode: JobMode, code: string, variables: object = {}): Promise<unknown> => {
  const { value, error, report } = await arena.run(mode, 'all', code, variables);
  if (error !== undefined) throw new Error(`${error}\n${report.answer?.result.error?.traceback}`);
  return value;
};

describe.each(MODES)('behind all layers, code of mode %s', (mode) => {
  const programs: Record<string, [code: string, value: unknown]> = {
    'imports extension modules that were not preloaded': ["import decimal\nresult = str(decimal.Decimal('0.1') + 1)", '1.1'],
    hashes: ["import hashlib\nresult = hashlib.sha256(b'').hexdigest()[:8] + hashlib.blake2b(b'').hexdigest()[:8]", 'e3b0c442786a02f7'],
    'draws random numbers and makes ids': [
      'import random, secrets, uuid\nresult = [len(str(uuid.uuid1())), len(str(uuid.uuid4())), 0 <= random.random() < 1, len(secrets.token_hex(8))]',
      [36, 36, true, 16],
    ],
    'knows time zones': [
      "import datetime, zoneinfo\nresult = datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin')).isoformat()",
      '2026-07-01T00:00:00+02:00',
    ],
    'sleeps, and measures time': ['import time\nt = time.perf_counter()\ntime.sleep(0.01)\nresult = time.perf_counter() - t > 0.005', true],
    'waits in coroutines': [
      'import asyncio\nasync def wait(x):\n await asyncio.sleep(0.01)\n return x\nasync def main(): return await asyncio.gather(wait(1), wait(2))\nresult = asyncio.run(main())',
      [1, 2],
    ],
    'logs, and reads XML': [
      "import logging, xml.etree.ElementTree as tree\nlogging.warning('x')\nresult = tree.fromstring('<a>1</a>').text",
      '1',
    ],
    'allocates and frees memory': ["result = len(b'x' * 50_000_000) + len([0] * 1_000_000)", 51_000_000],
  };
  it.each(Object.entries(programs))('%s', async (_, [code, value]) => {
    expect(await valueOf(mode, code)).toEqual(value);
  });

  it('is told of too much memory, by a MemoryError', async () => {
    const { report } = await arena.run(mode, 'all', "x = b'x' * 400_000_000");
    expect(report.answer?.result.error?.type).toBe('MemoryError');
  });
});

describe('behind all layers, ADMIN code', () => {
  it('runs programs and reads what they say', async () => {
    const code = "import subprocess\nresult = subprocess.run(['echo', 'x'], capture_output=True, text=True).stdout";
    expect(await valueOf('admin', code)).toBe('x\n');
    expect(
      await valueOf('admin', "import subprocess\nresult = subprocess.run('seq 3 | sort -r', shell=True, capture_output=True).stdout"),
    ).toBe('3\n2\n1\n');
  });

  it('runs a program that it wrote', async () => {
    const code =
      "import os, subprocess\nopen('tool', 'w').write('#!/bin/sh\\necho made')\nos.chmod('tool', 0o700)\nresult = subprocess.check_output('./tool')";
    expect(await valueOf('admin', code)).toBe('made\n');
  });

  it('keeps a database, folders and links in its scratch folder', async () => {
    const code = [
      'import os, sqlite3, tempfile',
      "with sqlite3.connect('a.db') as base: base.execute('create table t (x)'); base.execute('insert into t values (7)')",
      "os.makedirs('a/b'); open('a/b/c', 'w').write('c'); os.rename('a/b/c', 'a/d'); os.symlink('a/d', 'e')",
      'with tempfile.NamedTemporaryFile() as file: inside = os.path.dirname(file.name) == os.getcwd()',
      "result = [sqlite3.connect('a.db').execute('select x from t').fetchone()[0], open('e').read(), inside]",
    ].join('\n');
    expect(await valueOf('admin', code)).toEqual([7, 'c', true]);
  });

  it('shares memory with a process that it forked', async () => {
    const code = [
      'import mmap, os',
      'with mmap.mmap(-1, 8192) as area:',
      '    area[:3] = b"abc"',
      '    pid = os.fork()',
      '    if pid == 0:',
      '        area[4096:4099] = area[:3].upper()',
      '        os._exit(0)',
      '    os.waitpid(pid, 0)',
      '    result = [area[4096:4099].decode(), len(area), isinstance(area, mmap.mmap), type(area).__name__]',
      'private = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)',
      'copy = mmap.mmap(-1, 4096, access=mmap.ACCESS_COPY)',
      'result += [len(private), len(copy), os.listdir()]',
    ].join('\n');
    expect(await valueOf('admin', code)).toEqual(['ABC', 8192, true, 'mmap', 4096, 4096, []]);
  });

  it('speaks HTTP to a server of this host, and finds names', async () => {
    const { port } = server.address() as AddressInfo;
    const code = 'import urllib.request\nresult = urllib.request.urlopen(url, timeout=10).read().decode()';
    expect(await valueOf('admin', code, { url: `http://localhost:${port}/` })).toBe('hello');
  });

  it('listens on a port that the kernel chooses', async () => {
    const code =
      "import socket\ns = socket.create_server(('127.0.0.1', 0))\nc = socket.create_connection(s.getsockname())\nresult = s.accept()[1] == c.getsockname()";
    expect(await valueOf('admin', code)).toBe(true);
  });

  it('starts threads', async () => {
    expect(
      await valueOf(
        'admin',
        'import _thread, time\nseen = []\n_thread.start_new_thread(seen.append, (1,))\ntime.sleep(0.1)\nresult = seen',
      ),
    ).toEqual([1]);
  });

  it('finds an empty scratch folder after all that', async () => {
    expect(await valueOf('admin', 'import os\nresult = os.listdir()')).toEqual([]);
  });
});

describe('with pandas in the preload', () => {
  const hasPandas = canImport('pandas');
  const heavy = new Arena();
  beforeAll(async () => hasPandas && heavy.start({ PYTHON3_PRELOAD: 'json,numpy,pandas' }));
  afterAll(async () => hasPandas && heavy.stop());

  itIf(hasPandas, 'this Python has no pandas').each(MODES)('code of mode %s computes with it', async (mode) => {
    const code = [
      'import numpy, pandas',
      "frame = pandas.DataFrame({'a': numpy.arange(6) % 2, 'b': range(6)})",
      "result = [frame.groupby('a').b.sum().tolist(), float(numpy.linalg.norm(numpy.ones((50, 50)) @ numpy.ones(50)))]",
    ].join('\n');
    const { value, error } = await heavy.run(mode, 'all', code);
    expect([error, value]).toEqual([undefined, [[6, 9], expect.closeTo(353.55, 1)]]);
  });
});
