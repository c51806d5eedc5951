import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { createLogger, JOB_MODES, loadConfig, type Job, type JobMode } from '@python3-cluster/shared';
import { isAlive } from '../../../test/contracts/staged-runner';
import { itIf } from '../../../test/support/optional';
import { waitFor } from '../../../test/support/wait-for';
import { createSlots, type Slots } from './create-slots';
import { runInSlot, type RunReport } from './jobs/run-in-slot';
import type { Child } from './runner/child';

const python = { file: '/usr/bin/python3', env: {} };
const bubblewrap = spawnSync('sh', ['-c', 'command -v bwrap'], { encoding: 'utf8' }).stdout.trim();
const givesNamespaces = (): boolean =>
  spawnSync(bubblewrap, ['--unshare-user', '--unshare-pid', '--ro-bind', '/', '/', '--proc', '/proc', 'true']).status === 0;
const canTest = process.getuid?.() === 0 && existsSync(python.file) && bubblewrap !== '' && givesNamespaces();
const itContained = itIf(canTest, 'takes root and namespaces');

const SCRATCH_MB = 8;
const SCRATCH_ENTRIES = 50_000;
const { config } = loadConfig({ PYTHON3_ISOLATION: 'C', PYTHON3_POOL_MAX: '3', PYTHON3_MAX_SCRATCH_MB: String(SCRATCH_MB) });
/** Tens of thousands of files take seconds, and where everybody else wants the processor, minutes. */
const MANY_FILES_MS = 240_000;
let slots: Slots;
beforeAll(async () => {
  if (!canTest) return;
  const logger = createLogger('worker', 'silent');
  slots = await createSlots({ config, secretFiles: [], python, bubblewrap, logger, endKept: () => undefined });
});
afterAll(() => slots?.stop());

function run(child: Child, mode: JobMode, code: string, keep = false): Promise<RunReport> {
  const limits = { timeoutMs: MANY_FILES_MS, memoryMb: 256, cpuSeconds: 240 };
  const job = { kind: 'exec', mode, limits, traceparent: null } as unknown as Job;
  const payload = Buffer.from(JSON.stringify({ code, variables: {} }));
  const signal = new AbortController().signal;
  return runInSlot({ job, payload, child, config, allowedModules: [], processLimit: config.maxProcesses, signal, keep });
}
async function valueOf(child: Child, code: string): Promise<unknown> {
  const { answer, stderr } = await run(child, 'admin', code);
  return answer?.result.hasValue ? JSON.parse(answer.value.toString()) : [answer?.result.error, stderr.bytes.toString()];
}

/** All four users, and all four groups with the supplementary ones, as the host counts: one number where they are all the same. */
function userOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const ids = ['Uid', 'Gid', 'Groups'].flatMap((name) => (new RegExp(`^${name}:(.*)$`, 'm').exec(status)?.[1] ?? '').trim().split(/\s+/));
  const different = [...new Set(ids.filter(Boolean))];
  expect(different).toHaveLength(1);
  return Number(different[0]);
}
const parentOf = (pid: number): number => Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);

/** The next child that gets a workspace: all others are held meanwhile, so that sooner or later it is the only one to be had. */
async function nextIn({ workspace }: Child, mode: JobMode): Promise<Child> {
  const others: Child[] = [];
  try {
    for (;;) {
      const child = await slots.templates.takeChild(mode);
      if (child.workspace === workspace) return child;
      others.push(child);
    }
  } finally {
    for (const child of others) child.kill();
    await Promise.all(others.map(({ exited }) => exited));
  }
}

describe('users', () => {
  itContained('are each child’s own, in either mode, fresh or kept, and none is a template’s', async () => {
    const { layers, reasons, templateUids } = slots.isolation;
    expect([layers.uid, layers.namespaces, reasons]).toEqual([true, true, expect.anything()]);
    const living: Child[] = [];
    for (const mode of JOB_MODES) {
      const [kept, fresh, other] = await Promise.all([1, 2, 3].map(() => slots.templates.takeChild(mode)));
      const { inspection } = await run(kept as Child, mode, 'result = 1', true);
      expect([kept?.state, inspection === undefined]).toEqual(['idle', false]);
      living.push(kept as Child, fresh as Child, other as Child, await slots.templates.takeChild(mode));
      expect(userOf(parentOf(kept?.pid ?? 0))).toBe(templateUids?.[mode]);
    }
    const users = living.map(({ pid }) => userOf(pid));
    expect(users).toEqual(living.map(({ workspace }) => workspace.uid));
    const all = [...users, ...Object.values(templateUids ?? {})];
    expect(new Set(all).size).toBe(10);
    const { first, last } = config.slotUids;
    expect(all.every((user) => user >= first && user <= last)).toBe(true);
    // A second job finds the child as it was.
    expect((await run(living[0] as Child, 'restricted', 'result = 2', true)).answer?.value.toString()).toBe('2');
    expect(userOf(living[0]?.pid ?? 0)).toBe(users[0]);
    for (const child of living) child.kill();
    await Promise.all(living.map(({ exited }) => exited));
  });
});

describe('the scratch folder of a child', () => {
  itContained(
    'is empty for the next child in that workspace, however much the last one left',
    async () => {
      const first = await slots.templates.takeChild('admin');
      const code = `
import os
for count in range(20_000): open(str(count), 'w').close()
os.makedirs('closed/inner'), open('closed/inner/file', 'w').close(), os.chmod('closed/inner', 0), os.chmod('closed', 0)
open(b'\\xff\\xfe', 'w').close(), os.symlink('/', 'root')
for level in range(300): os.mkdir('d'), os.chdir('d')
nameless = os.open('.', os.O_TMPFILE | os.O_WRONLY)
os.write(nameless, b'x' * 4096)
result = 1`;
      expect(await valueOf(first, code)).toBe(1);
      const next = await nextIn(first, 'admin');
      const look =
        'import os\nusage = os.statvfs(".")\nresult = [os.listdir("."), usage.f_files - usage.f_ffree, usage.f_bavail == usage.f_blocks]';
      expect(await valueOf(next, look)).toEqual([[], 1, true]);
      // Nothing of it is ever the host's.
      expect(readdirSync(next.workspace.scratchPath)).toEqual([]);
    },
    MANY_FILES_MS,
  );

  itContained('holds so many bytes and no more, in whatever files', async () => {
    const code = `
import errno, os
written = 0
try:
    for count in range(100):
        file = os.open(str(count), os.O_CREAT | os.O_WRONLY)
        os.unlink(str(count))
        while written < (count + 1) << 20: written += os.write(file, b'x' * 65536)
    result = written
except OSError as error:
    result = [error.errno, written >> 20]`;
    const [errno, megabytes] = (await valueOf(await slots.templates.takeChild('admin'), code)) as [number, number];
    expect([errno, megabytes]).toEqual([constants.errno.ENOSPC, SCRATCH_MB]);
  });

  itContained(
    'holds so many files and no more, empty ones and links too',
    async () => {
      const code = `
import os
made = 0
try:
    while made < ${2 * SCRATCH_ENTRIES}:
        if made % 3 == 0: os.mkdir(str(made))
        elif made % 3 == 1: os.symlink('x', str(made))
        else: os.close(os.open(str(made), os.O_CREAT | os.O_WRONLY))
        made += 1
    result = made
except OSError as error:
    result = [error.errno, made]`;
      const child = await slots.templates.takeChild('admin');
      const [errno, made] = (await valueOf(child, code)) as [number, number];
      // The folder itself is one of them.
      expect([errno, made]).toEqual([constants.errno.ENOSPC, SCRATCH_ENTRIES - 1]);
      expect(await valueOf(await nextIn(child, 'admin'), 'import os\nresult = os.listdir(".")')).toEqual([]);
    },
    MANY_FILES_MS,
  );

  itContained('that its user cannot empty ends with its template, and its workspace is clean again', async () => {
    const child = await slots.templates.takeChild('admin');
    const { pid, workspace } = child;
    const template = parentOf(pid);
    const user = userOf(template);
    // What is another user's stays: here the template's own, who alone has a way there.
    const leave = 'mkdir -m 700 "$0/locked" && touch "$0/locked/file"';
    const asTemplate = ['-t', template, '-U', '-m', '-S', user, '-G', user].map(String);
    execFileSync('nsenter', [...asTemplate, 'sh', '-c', leave, workspace.scratchPath], { cwd: '/' });
    const code = 'import os\nresult = os.listdir(".")';
    expect(await valueOf(child, code)).toEqual(['locked']);
    await waitFor('its template to end', () => !isAlive(template));
    const next = await nextIn(child, 'admin');
    expect(parentOf(next.pid)).not.toBe(template);
    expect(await valueOf(next, code)).toEqual([]);
  });
});
