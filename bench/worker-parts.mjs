// What a worker node is put together from, for measuring its parts without the rest of the cluster.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './root.mjs';

const require = createRequire(import.meta.url);
const ofWorker = (module) => require(join(root, 'packages', 'worker', 'dist', `${module}.js`));

export const { createLogger, loadConfig, RESTRICTED_MODULES } = require('@python3-cluster/shared');
export const { runInSlot } = ofWorker('jobs/run-in-slot');
export const { ChildSocket } = ofWorker('runner/child-socket');
export const { removeRunDirectory, stageRunner } = ofWorker('run-directory/stage-runner');
export const { Template } = ofWorker('runner/template');
export const { Workspaces, workspacesFor } = ofWorker('workspaces/workspaces');
export const { createIsolation } = ofWorker('sandbox/isolation');
export const { findBubblewrap } = require(join(root, 'packages', 'cli', 'dist', 'provision', 'index.js'));
