import { buildSources, isBuilt } from './build-sources.mjs';
import { handOver, programs } from './hand-over.mjs';
import { installDependencies, isInstalled } from './install-dependencies.mjs';
import { withLaunchLock } from './launch-lock.mjs';
import { LaunchError } from './root.mjs';

/**
 * Installs and builds what is not yet, or no longer, up to date, and hands over. When all is, nothing is locked, written or
 * started on the way.
 */
export async function launch([program, ...args]) {
  try {
    if (!programs.includes(program)) throw new LaunchError(`Usage: node scripts/launch.mjs <${programs.join('|')}> [arguments]`);
    // Who only wants to run the cluster does not wait for a test runner.
    const scope = program === 'start' ? 'runtime' : 'all';
    if (!isInstalled(scope) || !isBuilt(scope)) {
      // looked at again under the lock: another launch may have done it meanwhile
      await withLaunchLock(async () => {
        if (!isInstalled(scope)) await installDependencies(scope);
        if (!isBuilt(scope)) await buildSources();
      });
    }
    await handOver(program, args);
  } catch (error) {
    process.stderr.write(`${error instanceof LaunchError ? error.message : (error?.stack ?? error)}\n`);
    process.exitCode = 1;
  }
}
