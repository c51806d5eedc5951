import { ClusterError } from '@python3-cluster/shared';
import { readHead, type ListedJob, type Tools } from './job-list';

/** More run only on hundreds of nodes; those of a lane beyond it are not told. */
const MOST_PER_LANE = 200;

export interface RunningJobs {
  /** Those of an owner, or everybody's, longest running first. @throws ClusterError QUEUE_UNAVAILABLE */
  readonly read: (lanes: readonly string[], owner: string | undefined) => Promise<ListedJob[]>;
}

/** What worker nodes hold now, by the queue's own list of it: the index of jobs would have to be searched behind a backlog. */
export function createRunningJobs(tools: Tools): RunningJobs {
  const { redis, keys } = tools;
  const readLane = async (lane: string, owner: string | undefined): Promise<ListedJob[]> => {
    const ids = await redis.lrange(`${keys.queuePrefix(lane)}:${keys.queueName}:active`, 0, MOST_PER_LANE - 1);
    const heads = await Promise.all(ids.map((id) => readHead(tools, id, owner)));
    return heads.flatMap((head) => (typeof head === 'object' && head.state === 'active' ? [{ ...head, outcome: undefined }] : []));
  };
  return {
    read: async (lanes, owner) => {
      try {
        const found = await Promise.all([...new Set(lanes)].map((lane) => readLane(lane, owner)));
        return found.flat().sort((one, other) => startOf(one) - startOf(other));
      } catch (error) {
        throw new ClusterError('QUEUE_UNAVAILABLE', 'Redis cannot be reached; the running jobs were not read.', { cause: error });
      }
    },
  };
}

const startOf = ({ attempts, job }: ListedJob): number => attempts.at(-1)?.startedAt ?? job.issuedAt;
