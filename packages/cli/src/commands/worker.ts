import { runWorker } from '@python3-cluster/worker';
import { dataDirectory } from '../data-directory';
import { loadEnvironment } from '../load-environment';
import { findOrInstallPython } from '../provision';

export async function runWorkerCommand(options: { readonly stopWithParent?: boolean }): Promise<void> {
  await runWorker(loadEnvironment(), {
    findPython: (explicitPath) =>
      findOrInstallPython({
        dataDirectory,
        report: (line) => console.error(line),
        explicitPath: explicitPath === '' ? undefined : explicitPath,
      }),
    ...(options.stopWithParent ? { aliveStream: process.stdin } : {}),
  });
}
