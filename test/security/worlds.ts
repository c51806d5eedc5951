import type { Layer } from './attack-programs';

/** Layers an attack meets, and whose the worker node is. */
export interface World {
  readonly title: string;
  readonly layers: ReadonlySet<Layer>;
  readonly user: 'root' | 'plain user';
}

export type Level = 'A' | 'B by users' | 'B by namespaces' | 'C';

const WORKERS_OWN: readonly Layer[] = ['privileges', 'limits', 'frames', 'fresh'];
const KERNELS: Readonly<Record<Level, readonly Layer[]>> = {
  A: ['uid', 'namespaces', 'landlock', 'seccomp'],
  'B by users': ['uid', 'landlock', 'seccomp'],
  'B by namespaces': ['namespaces', 'landlock', 'seccomp'],
  C: ['landlock', 'seccomp'],
};

export const withNothing = (user: World['user']): World => ({ title: `as ${user} where nothing stops it`, layers: new Set(), user });

export const withOnly = (layer: Layer, user: World['user']): World => ({
  title: `as ${user} behind ${layer} alone`,
  layers: new Set([layer]),
  user,
});

export const atLevel = (level: Level, user: World['user'], policy: 'on' | 'off'): World => ({
  title: `at level ${level} as ${user} with the policy ${policy}`,
  layers: new Set([...KERNELS[level], ...WORKERS_OWN, ...(policy === 'on' ? (['policy'] as const) : [])]),
  user,
});
