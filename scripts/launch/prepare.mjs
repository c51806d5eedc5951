// npm runs this after `npm ci` and `npm install`: whoever installs by hand finds the program built.
import { buildSources, isBuilt } from './build-sources.mjs';
import { withLaunchLock } from './launch-lock.mjs';

await withLaunchLock(async () => {
  if (!isBuilt('all')) await buildSources();
});
