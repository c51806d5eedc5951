import type { Config, Logger } from '@python3-cluster/shared';
import { ChildSocket } from './runner/child-socket';
import { removeRunDirectory, stageRunner } from './run-directory/stage-runner';
import { RUNNER_SOURCE } from './run-directory/runner-source';
import type { PythonCommand } from './sandbox/python-command';
import { createIsolation, type Isolation } from './sandbox/isolation';

/** What a worker node with this configuration would have here; leaves nothing behind. @throws ClusterError as it would */
export async function examineIsolation(parts: {
  readonly config: Config;
  readonly secretFiles: readonly string[];
  readonly python: PythonCommand;
  readonly bubblewrap: string | { readonly missing: string };
  readonly logger: Logger;
}): Promise<Pick<Isolation, 'level' | 'layers' | 'reasons'>> {
  const directory = stageRunner(parts.config.runDirectory, RUNNER_SOURCE);
  const childSocket = new ChildSocket(0);
  try {
    await childSocket.listen(directory.socketPath);
    const isolation = await createIsolation({ ...parts, directory, workspaces: { restricted: 1, admin: 1 } });
    isolation.release();
    return isolation;
  } finally {
    await childSocket.close();
    removeRunDirectory(directory);
  }
}
