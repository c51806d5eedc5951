import { isRoleAtLeast, type Config } from '@python3-cluster/shared';
import type { WorkerRegistry } from '../cluster/worker-registry';
import type { RunningJobs } from '../dispatch/running-jobs';
import { defineFeature } from '../operations/feature';
import { ok } from '../operations/operation';
import { toListedView } from './job-view';

export interface RunningParts {
  readonly config: Config;
  readonly registry: WorkerRegistry;
  readonly running: RunningJobs;
}

/** What runs now: one's own jobs, and everybody's for an admin. */
export const runningFeature = defineFeature({
  name: 'running',
  operations: {
    list: {
      method: 'get',
      path: '/api/v1/running',
      access: 'viewer',
      effect: 'read',
      answers: { 200: '`{"jobs": […]}`: what runs now, longest first, as in a list; an admin sees everybody’s' },
      errors: ['QUEUE_UNAVAILABLE'],
    },
  },
  create: ({ config, registry, running }: RunningParts) => ({
    list: async ({ caller: { role, owner } }) => {
      const lanes = registry.liveWorkers().flatMap((worker) => worker.lanes);
      const jobs = await running.read(lanes, isRoleAtLeast(role, 'admin') ? undefined : owner);
      return ok({ jobs: jobs.map((job) => toListedView(job, config.jaegerUiUrl)) });
    },
  }),
});
