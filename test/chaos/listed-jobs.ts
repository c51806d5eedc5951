import { createRedisKeys } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { call } from '../support/call';
import { ADMIN_KEY, type TestCluster } from '../support/test-cluster';

/** A job as a list, or its own record, shows it. */
export interface ListedJob {
  readonly id: string;
  readonly kind: string;
  readonly traceId: string;
  readonly state: string;
  readonly outcome: { readonly status: string; readonly error: { readonly type: string } | null } | null;
  readonly worker: string | null;
  readonly attempts: readonly { readonly number: number; readonly worker: string; readonly finishedAt: number | null }[];
  readonly finishedAt: number | null;
}

export interface AllJobs {
  readonly jobs: ReadonlyMap<string, ListedJob>;
  /** Jobs that are in no list, which a replica that is killed may leave behind: read by their ids. */
  readonly unlisted: number;
  /** Jobs that came twice. */
  readonly repeated: number;
}

/** Every job there is: as listed, page by page, and whatever else has a record in Redis. */
export async function listAllJobs(cluster: TestCluster, replica: number, redis: Redis): Promise<AllJobs> {
  const jobs = new Map<string, ListedJob>();
  let repeated = 0;
  for (const owner of ['key:developer', 'key:admin']) {
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query = new URLSearchParams({ owner, limit: '200', ...(cursor !== '' && { cursor }) });
      const page = (await call(cluster, `/api/v1/jobs?${query.toString()}`, undefined, { replica, key: ADMIN_KEY })).json;
      for (const job of page.jobs as ListedJob[]) {
        if (jobs.has(job.id)) repeated += 1;
        jobs.set(job.id, job);
      }
      cursor = page.nextCursor as string | null;
    }
  }
  const unlisted = (await scanRecords(cluster, redis)).filter((id) => !jobs.has(id));
  for (const id of unlisted) jobs.set(id, (await call(cluster, `/api/v1/jobs/${id}`, undefined, { replica, key: ADMIN_KEY })).json as ListedJob);
  return { jobs, unlisted: unlisted.length, repeated };
} // prettier-ignore

async function scanRecords(cluster: TestCluster, redis: Redis): Promise<string[]> {
  const prefix = createRedisKeys(cluster.namespace).jobRecord('default', '');
  const found = new Set<string>();
  for (let cursor = ''; cursor !== '0';) {
    const [next, keys] = await redis.scan(cursor === '' ? '0' : cursor, 'MATCH', `${prefix}*`, 'COUNT', '5000');
    for (const key of keys) found.add(key.slice(prefix.length));
    cursor = next;
  }
  return [...found];
}
