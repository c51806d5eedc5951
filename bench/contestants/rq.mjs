import { join } from 'node:path';
import { startLoadClients } from '../load-clients.mjs';
import { startProcess, stopProcess } from '../processes.mjs';
import { DEBIAN_PYTHON, requirePythonPackage } from '../requirements.mjs';
import { root } from '../root.mjs';

const peers = join(root, 'bench/peers');

/** RQ's default worker: it forks for every job, as we do. */
export function createRq({ redis, database, cores, report }) {
  const workers = [];
  let load;
  return {
    name: 'rq',
    title: 'RQ forking workers',
    settings: `${cores} workers, tasks imported before the fork, enqueue() and a blocking read of the result, 1 client process with a thread per caller`,
    async prepare() {
      const version = await requirePythonPackage('rq', 'python3-rq', report);
      const env = { BENCH_REDIS_URL: redis.urlOf(database), PYTHONDONTWRITEBYTECODE: '1' };
      for (let number = 1; number <= cores; number += 1) {
        workers.push(
          startProcess({
            name: `RQ worker ${number}`,
            stage: 'contestant',
            file: DEBIAN_PYTHON,
            args: [join(peers, 'rq_worker.py')],
            env,
            cwd: peers,
          }),
        );
      }
      load = startLoadClients({ name: 'RQ', count: 1, file: DEBIAN_PYTHON, args: [join(peers, 'rq_load.py')], env, cwd: peers });
      return { version };
    },
    run: (request) => load.run(request),
    processes: () => [
      ...workers.map(({ pid }) => ({ role: 'workers', pid, passing: 'job processes' })),
      ...load.pids.map((pid) => ({ role: 'client', pid })),
    ],
    stop: () => Promise.all([...(load?.processes ?? []), ...workers].map(stopProcess)),
  };
}
