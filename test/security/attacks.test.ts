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

interface Attack {
  readonly program: string;
  /** Where not both. */
  readonly mode?: JobMode;
  /** Each of these alone stops it. */
  readonly stoppedBy: readonly Defence[];
  /** Those that stop it in RESTRICTED only. */
  readonly inRestricted?: readonly Defence[];
}

const attacks: Record<string, Attack> = {
  'read the environment of a process of the worker’s user': {
    program: 'reads_the_environment_of_the_worker',
    stoppedBy: ['uid', 'namespaces', 'landlock'],
  },
  'read a key file': { program: 'reads_a_key_file', stoppedBy: ['uid', 'namespaces', 'landlock'] },
  'read a key file through a link in its scratch folder': {
    program: 'reads_a_key_file_through_a_link',
    stoppedBy: ['uid', 'namespaces', 'landlock'],
    inRestricted: ['seccomp'],
  },
  'read the scratch folder of another slot': { program: 'reads_the_scratch_of_another_slot', stoppedBy: ['landlock'] },
  'write into the output of another slot': { program: 'writes_to_the_output_of_another_slot', stoppedBy: ['landlock'] },
  'write to a folder that anybody may write to': { program: 'writes_outside_its_scratch', stoppedBy: ['namespaces', 'landlock'] },
  'write to shared memory': { program: 'writes_to_shared_memory', stoppedBy: ['namespaces', 'landlock'] },
  'signal a process of the worker’s user': {
    program: 'signals_the_worker',
    stoppedBy: ['uid', 'namespaces', 'landlock'],
    inRestricted: ['seccomp'],
  },
  'signal a job of another slot': { program: 'signals_another_job', stoppedBy: ['landlock'], inRestricted: ['seccomp'] },
  'trace its template': { program: 'traces_its_template', stoppedBy: ['landlock', 'seccomp'] },
  'write the memory of its template': { program: 'writes_memory_of_its_template', stoppedBy: ['landlock', 'seccomp'] },
  'open the memory of its template': { program: 'writes_memory_of_its_template_by_file', stoppedBy: ['landlock'] },
  'take a descriptor of its template': { program: 'takes_a_descriptor_of_its_template', stoppedBy: ['landlock', 'seccomp'] },
  'lower a limit of its template': { program: 'lowers_a_limit_of_its_template', stoppedBy: ['seccomp'] },
  'connect to a port': {
    program: 'connects_to_a_port',
    mode: 'restricted',
    stoppedBy: ['namespaces', 'landlock', 'seccomp'],
  },
  'connect to an abstract socket': {
    program: 'connects_to_an_abstract_socket',
    stoppedBy: ['landlock'],
    inRestricted: ['namespaces', 'seccomp'],
  },
  fork: { program: 'forks', mode: 'restricted', stoppedBy: ['seccomp'] },
  'start a thread': { program: 'starts_a_thread', mode: 'restricted', stoppedBy: ['seccomp'] },
  'make memory that can be written and run': { program: 'makes_memory_that_can_be_run', mode: 'restricted', stoppedBy: ['seccomp'] },
};

const MODES: readonly JobMode[] = ['restricted', 'admin'];

describe.each(MODES)('code of mode %s', (mode) => {
  for (const [words, { program, mode: only, stoppedBy, inRestricted = [] }] of Object.entries(attacks)) {
    if (only !== undefined && only !== mode) continue;
    const defences = [...stoppedBy, ...(mode === 'restricted' ? inRestricted : [])];
    it(`can ${words} where nothing contains it, and not behind ${[...defences, 'all layers'].join(', ')}`, async () => {
      const free = await arena.attack(program, mode, 'none');
      expect([free.value, free.error]).toEqual([true, undefined]);
      for (const defence of [...defences, 'all'] as const) {
        if (!arena.offers(defence)) continue;
        const { value } = await arena.attack(program, mode, defence);
        expect([defence, value ?? false]).toEqual([defence, false]);
      }
    });
  }
});

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
