import { readFileSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JobMode } from '@python3-cluster/shared';
import { itIf } from '../support/optional';
import { Arena, NUMBERS, type Defence } from './arena';

const SYSTEM_CALL = readFileSync(join(__dirname, 'programs', 'makes_a_system_call.py'), 'utf8');
const itAsRoot = itIf(process.getuid?.() === 0, 'this takes root');
const arena = new Arena();
beforeAll(() => arena.start());
afterAll(() => arena.stop());

const MODES: readonly JobMode[] = ['restricted', 'admin'];

describe.each(MODES)('a system call that code of mode %s has no use for', (mode) => {
  const calls: Record<string, readonly (number | null)[]> = {
    memfd_create: [null, 0],
    keyctl: [0, -4, 1],
    add_key: [null, null, null, 0, 0],
    unshare: [0x1000_0000],
    setns: [0, 0],
    mount: [null, null, null, 0, null],
    chroot: [null],
    bpf: [0, null, 0],
    perf_event_open: [null, 0, -1, -1, 0],
    userfaultfd: [0],
    io_uring_setup: [1, null],
    shmget: [0, 4096, 0o1600],
    msgget: [0, 0o1600],
    semget: [0, 1, 0o1600],
    mq_open: [null, 0, 0, null],
    open_by_handle_at: [-1, null, 0],
    personality: [0xffff_ffff],
    swapon: [null, 0],
    reboot: [0, 0, 0, null],
  };
  const onlyOfRoot = ['userfaultfd', 'swapon', 'reboot'];
  // Where nothing contains the code, the kernel looks at what is asked: it does it, or has another answer than "no".
  for (const [name, values] of Object.entries(calls)) {
    const test = onlyOfRoot.includes(name) ? itAsRoot : it;
    test(`${name}: is answered where nothing contains it, and refused behind seccomp and all layers`, async () => {
      const attempt = async (defence: Defence) =>
        (await arena.run(mode, defence, SYSTEM_CALL, { name, arguments: values, numbers: NUMBERS[arch()] })).value;
      expect([await attempt('none'), await attempt('seccomp'), await attempt('all')]).toEqual([true, false, false]);
    });
  }
});

it('clone3 is not there for anybody, so that libraries take the older call', async () => {
  const { value } = await arena.run('admin', 'all', SYSTEM_CALL, { name: 'clone3', arguments: [null, 0], numbers: NUMBERS[arch()] });
  expect(value).toBe(false);
});

it.each(MODES)('a call that is newer than the filters is not there in mode %s', async (mode) => {
  const attempt = async (defence: Defence) =>
    (await arena.run(mode, defence, SYSTEM_CALL, { name: 'file_getattr', arguments: [-1, null, null, 0, 0], numbers: NUMBERS[arch()] }))
      .value;
  const isKnown = await attempt('none');
  // A kernel before Linux 6.17 has it no more than the filters.
  expect([isKnown, await attempt('all')]).toEqual([isKnown, false]);
});

it('RESTRICTED code runs no program', async () => {
  const free = await arena.attack('runs_a_program', 'restricted', 'none');
  // It became the program, which ended without a word.
  expect([free.report.answer, free.report.exit.exitCode]).toEqual([undefined, 0]);
  for (const defence of ['landlock', 'seccomp', 'all'] as const) {
    const { error, report } = await arena.attack('runs_a_program', 'restricted', defence);
    expect([defence, report.exit.exitCode, error]).toEqual([defence, 0, expect.stringMatching(/not permitted|denied|No such file/)]);
  }
});

it('the first process of a namespace does not die of what its children send it; without one, Landlock sees to it', async () => {
  for (const defence of ['namespaces', 'landlock', 'all'] as const) {
    const before = await arena.fork('admin', defence);
    await arena.attack('signals_its_template', 'admin', defence);
    expect(before.state).toBe('idle');
    before.kill();
  }
  const before = await arena.fork('admin', 'none');
  await arena.attack('signals_its_template', 'admin', 'none').catch(() => undefined);
  expect((await before.exited).signal).toBe(9);
});

itAsRoot.each(MODES)('nobody gets another user in mode %s', async (mode) => {
  expect((await arena.attack('asks_for_a_user', mode, 'none')).value).toBe(true);
  for (const defence of ['uid', 'all'] as const) expect((await arena.attack('asks_for_a_user', mode, defence)).value).toBeUndefined();
});
