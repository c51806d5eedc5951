import { isRoleAtLeast, type Config } from '@python3-cluster/shared';
import type { Authenticator } from '../auth/authenticator';
import { callerOf, requireRole } from '../auth/require-role';
import type { WorkerRegistry } from '../cluster/worker-registry';
import type { RunningJobs } from '../dispatch/running-jobs';
import { refuseQuery } from '../requests/refuse-query';
import { toListedView } from '../responses/job-view';
import { sendJson } from '../responses/send-json';
import type { Route } from './route';

export interface RunningRouteOptions {
  readonly config: Config;
  readonly authenticator: Authenticator;
  readonly registry: WorkerRegistry;
  readonly running: RunningJobs;
}

/** What runs now: one's own jobs, and everybody's for an admin. */
export function createRunningRoutes({ config, authenticator, registry, running }: RunningRouteOptions): Route[] {
  return [
    {
      method: 'get',
      path: '/api/v1/running',
      handlers: [
        refuseQuery,
        requireRole(authenticator, 'viewer'),
        async (_request, response) => {
          const { role, owner } = callerOf(response);
          const lanes = registry.liveWorkers().flatMap((worker) => worker.lanes);
          const jobs = await running.read(lanes, isRoleAtLeast(role, 'admin') ? undefined : owner);
          sendJson(response, 200, { jobs: jobs.map((job) => toListedView(job, config.jaegerUiUrl)) });
        },
      ],
    },
  ];
}
