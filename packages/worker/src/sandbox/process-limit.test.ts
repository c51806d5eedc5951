import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect } from '@jest/globals';
import { itIf, pythonUnderTest } from '../../../../test/support/optional';
import { countOthers } from './process-limit';

const itAsRoot = itIf(process.getuid?.() === 0, 'takes root');
const USER = 60_981;
const started: ChildProcess[] = [];
afterEach(() => {
  for (const one of started.splice(0)) one.kill('SIGKILL');
});

itAsRoot('counts processes and threads of one user, but for those below the worker node', async () => {
  expect(await countOthers(USER, -1)).toBe(0);
  const code = 'import threading, time\nfor _ in range(4): threading.Thread(target=time.sleep, args=(60,)).start()\nprint("up", flush=True)';
  const { file, env } = pythonUnderTest();
  for (const [program, args] of [['sleep', ['60']], [file, ['-I', '-c', code]]] as const) {
    started.push(spawn(program, args, { uid: USER, gid: USER, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'ignore'] }));
  }
  await once(started[1]?.stdout as NodeJS.ReadableStream, 'data');
  expect([await countOthers(USER, -1), await countOthers(USER, started[0]?.pid ?? 0)]).toEqual([6, 6]);
  // They are children of this process.
  expect(await countOthers(USER, process.pid)).toBe(0);
}); // prettier-ignore
