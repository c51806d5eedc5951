import { PRODUCT_VERSION, WIRE_VERSION, type Config } from '@python3-cluster/shared';
import { defineFeature } from '../operations/feature';
import { ok } from '../operations/operation';
import type { WorkerRegistry } from './worker-registry';

export interface VersionParts {
  readonly config: Pick<Config, 'revision'>;
  readonly registry: WorkerRegistry;
}

/** What runs here: for whoever compares installations, or writes a fault report. */
export const versionFeature = defineFeature({
  name: 'version',
  operations: {
    show: {
      method: 'get',
      path: '/api/v1/version',
      access: 'viewer',
      effect: 'read',
      answers: {
        200: '`version`, `build` (`revision` or `null`, `node`), `python` (versions of the live worker nodes), `protocols` (`http`, `wire`)',
      },
    },
  },
  create: ({ config, registry }: VersionParts) => ({
    show: () =>
      ok({
        version: PRODUCT_VERSION,
        build: { revision: config.revision || null, node: process.versions.node },
        python: [...new Set(registry.liveWorkers().map(({ python }) => python.version))].sort(),
        protocols: { http: 'v1', wire: WIRE_VERSION },
      }),
  }),
});
