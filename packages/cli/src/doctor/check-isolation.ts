import { createLogger, isClusterError, type Config } from '@python3-cluster/shared';
import { examineIsolation, type PythonCommand } from '@python3-cluster/worker';
import { findBubblewrap } from '../provision';
import { fail, ok, warn, type CheckResult } from './check';

export interface IsolationCheck {
  readonly config: Config;
  readonly secretFiles: readonly string[];
  readonly python: PythonCommand;
  readonly dataDirectory: string;
}

/** docs/operations.md has a row for each kind of host. */
const RAISE = 'give the worker node what is missing: docs/operations.md#isolation says what, for each kind of host';

/** Tries every layer as a worker node would. */
export async function checkIsolation({ config, secretFiles, python, dataDirectory }: IsolationCheck): Promise<CheckResult> {
  const bubblewrap = await findBubblewrap(dataDirectory);
  try {
    // What is accepted here is for the worker node to decide: this is to tell what there is.
    const { level, layers, reasons } = await examineIsolation({
      config: { ...config, isolation: 'D', nodeEnvironment: '' },
      secretFiles,
      python,
      bubblewrap,
      logger: createLogger('worker', 'silent'),
    });
    const there = [
      layers.uid && 'own users',
      layers.namespaces && 'namespaces',
      layers.landlockAbi > 0 && `Landlock ${layers.landlockAbi}`,
      layers.seccomp && 'seccomp',
    ];
    const missing = Object.entries(reasons).flatMap(([layer, reason]) => (reason === null ? [] : [`no ${layer}: ${reason}`]));
    const text = [`level ${level}`, there.filter(Boolean).join(', '), ...missing].filter(Boolean).join('; ');
    if (level > config.isolation)
      return fail(
        'Isolation',
        `${text}; PYTHON3_ISOLATION asks for ${config.isolation}`,
        `${RAISE}, or accept it knowingly: PYTHON3_ISOLATION=${level}`,
      );
    return level === 'A' ? ok('Isolation', text) : warn('Isolation', text, RAISE);
  } catch (error) {
    if (!isClusterError(error)) throw error;
    return fail('Isolation', error.message, RAISE);
  }
}
