import { runWorker } from '@python3-cluster/worker';
import { dataDirectoryOf } from '../data-directory';
import { loadEnvironment } from '../load-environment';
import { findBubblewrap, findOrInstallPython } from '../provision';

export async function runWorkerCommand(options: { readonly stopWithParent?: boolean }): Promise<void> {
  const environment = loadEnvironment();
  const dataDirectory = dataDirectoryOf(environment);
  await runWorker(environment, {
    findPython: (explicitPath) =>
      findOrInstallPython({
        dataDirectory,
        report: (line) => console.error(line),
        explicitPath: explicitPath === '' ? undefined : explicitPath,
      }),
    findBubblewrap: () => findBubblewrap(dataDirectory),
    ...(options.stopWithParent ? { aliveStream: process.stdin } : {}),
  });
}
