import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { inTurns } from '@python3-cluster/shared';
import { watchWork } from '../../../../test/support/work-per-turn.cjs';
import { readKernelObjects } from './kernel-objects';
import { readNamelessFiles } from './nameless-files';
import { readingTreeMemory, readingTreeUsage } from './process-usage';

/** Processes that only wait, as of a job that forked hundreds. */
const COUNT = 200;
const PROGRAM = `i=0; while [ $i -lt ${COUNT} ]; do sleep 60 & i=$((i+1)); done; echo up; wait`;
let root: ChildProcess;
let pids: readonly number[];
beforeAll(async () => {
  root = spawn('/bin/sh', ['-c', PROGRAM], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  if (root.stdout !== null) await once(root.stdout, 'data');
  ({ pids } = await inTurns(readingTreeUsage(root.pid ?? 0)));
  expect(pids).toHaveLength(COUNT + 1);
});
afterAll(() => void process.kill(-(root.pid ?? 0), 'SIGKILL'));

/** In bytes and calls, which do not depend on the machine; at once each is several times as much. */
const MOST = { bytes: 524_288, fileCalls: 500 };

it.each<[string, () => Promise<unknown>]>([
  ['what they use', () => inTurns(readingTreeUsage(pids[0] ?? 0))],
  ['their memory', () => inTurns(readingTreeMemory(pids))],
  ['what the kernel keeps for them', () => readKernelObjects(pids)],
  ['files without a name that they have', () => readNamelessFiles(tmpdir(), pids)],
])('hundreds of processes are looked at in turns: %s', async (_words, look) => {
  await new Promise((resolve) => setImmediate(resolve));
  const work = watchWork();
  try {
    await look();
  } finally {
    work.stop();
  }
  const { bytes, fileCalls, largest } = work.take();
  expect([bytes <= MOST.bytes && fileCalls <= MOST.fileCalls, bytes, fileCalls, largest]).toEqual([true, bytes, fileCalls, largest]);
});
