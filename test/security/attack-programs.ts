import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JobMode } from '@python3-cluster/shared';

/**
 * What can stop an attack. `policy` is the one in Python; the next five are the kernel's (`privileges`: no capabilities, and a
 * template that its children may not look into); `limits` (time, memory, output), `frames` (a child's words are checked) and
 * `fresh` (a process per job, a clean slot, nothing left running) are the worker node's.
 */
export const LAYERS = ['policy', 'uid', 'namespaces', 'landlock', 'seccomp', 'privileges', 'limits', 'frames', 'fresh'] as const;
export type Layer = (typeof LAYERS)[number];

/** One of `attacks/*.py.txt`; the comment above each program says how it works and where it was published. */
export interface AttackProgram {
  readonly group: string;
  readonly name: string;
  readonly how: string;
  readonly source: string;
  /** What it reaches where nothing stops it; see `Targets`. */
  readonly reaches: string;
  readonly modes: readonly JobMode[];
  /** Each of these alone stops it. */
  readonly stoppedBy: Readonly<Record<JobMode, readonly Layer[]>>;
  /** Version of Landlock from which that layer stops it. */
  readonly landlockAbi: number;
  /** Where the policy in Python is on: the type of the error. */
  readonly refusedAs: string;
  /** Where only one of them shows anything: root has the right to it, or is not limited. */
  readonly user: 'root' | 'plain user' | undefined;
  /** Walks through Python to where it can open a file; what it does then is the same as others do. */
  readonly isOfLanguage: boolean;
  /** Runs beside others: it takes its time. */
  readonly isSlow: boolean;
  /** Jobs one after another; most attacks are one. */
  readonly jobs: readonly string[];
}

const FOLDER = join(__dirname, 'attacks');
const LANGUAGE = /^0[1-6]-/;
const NEXT_JOB = '\n#=== next job\n';

export const ATTACKS: readonly AttackProgram[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.py.txt'))
  .flatMap((name) => parse(name, readFileSync(join(FOLDER, name), 'utf8')));

function parse(fileName: string, text: string): AttackProgram[] {
  const [head = '', ...blocks] = text.split('\n### ');
  const group = /^# (.+?)\.?$/m.exec(head)?.[1] ?? '';
  return blocks.map((block) => parseProgram(fileName, group, block));
}

function parseProgram(fileName: string, group: string, block: string): AttackProgram {
  const end = block.indexOf('\n');
  const name = block.slice(0, end);
  const rest = block.slice(end + 1);
  const fields = Object.fromEntries([...rest.matchAll(/^#- (.+?): (.+)$/gm)].map(([, key, value]) => [key, value])) as Record<
    string,
    string
  >;
  const layers = (text: string | undefined): Layer[] => (text ?? '').split(', ').filter(Boolean) as Layer[];
  const modes = (text: string | undefined): JobMode[] => (text ?? '').split(', ').filter(Boolean) as JobMode[];
  const admin = layers(fields['stopped by']);
  const unknown = admin.filter((layer) => !LAYERS.includes(layer));
  if (!fields['how'] || !fields['source'] || !fields['reaches'] || unknown.length > 0)
    throw new Error(`${group}: ${name}: ${unknown.join()}`);
  return {
    group,
    name,
    how: fields['how'],
    source: fields['source'],
    reaches: fields['reaches'],
    modes: modes(fields['modes'] ?? 'restricted, admin'),
    stoppedBy: { admin: admin.filter((layer) => layer !== 'policy'), restricted: [...admin, ...layers(fields['and in restricted'])] },
    landlockAbi: Number(fields['landlock'] ?? 1),
    refusedAs: fields['refused as'] ?? 'SecurityError',
    user: fields['user'] as AttackProgram['user'],
    isOfLanguage: LANGUAGE.test(fileName),
    isSlow: fields['slow'] !== undefined,
    jobs: rest.split(NEXT_JOB),
  };
}
