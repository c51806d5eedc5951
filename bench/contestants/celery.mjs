import { join } from 'node:path';
import { startLoadClients } from '../load-clients.mjs';
import { startProcess, stopProcess } from '../processes.mjs';
import { DEBIAN_PYTHON, requirePythonPackage } from '../requirements.mjs';
import { root } from '../root.mjs';

const peers = join(root, 'bench/peers');
const CLIENTS = 2;

/** Celery's prefork pool: processes are kept and shared by all jobs, so it answers sooner and isolates nothing. */
export function createCelery({ redis, database, cores, report }) {
  let worker;
  let load;
  return {
    name: 'celery',
    title: 'Celery prefork',
    settings: `concurrency ${cores}, Redis broker and results, -O fair, no gossip, mingle or heartbeat, prefetch 64, delay().get(), ${CLIENTS} client processes with a thread per caller`,
    async prepare() {
      const version = await requirePythonPackage('celery', 'python3-celery', report);
      const env = { BENCH_REDIS_URL: redis.urlOf(database), PYTHONDONTWRITEBYTECODE: '1' };
      const quiet = ['--without-gossip', '--without-mingle', '--without-heartbeat', '--loglevel=ERROR'];
      const args = ['-m', 'celery', '-A', 'celery_tasks', 'worker', '--pool=prefork', `--concurrency=${cores}`, '-O', 'fair', ...quiet];
      // if we are killed Redis ends too, and without it Celery's own shutdown, warm or cold, waits for ever; its pool ends with it
      worker = startProcess({
        name: 'Celery worker',
        stage: 'contestant',
        orphanSignal: 'KILL',
        file: DEBIAN_PYTHON,
        args,
        env,
        cwd: peers,
      });
      load = startLoadClients({
        name: 'Celery',
        count: CLIENTS,
        file: DEBIAN_PYTHON,
        args: [join(peers, 'celery_load.py')],
        env,
        cwd: peers,
      });
      return { version };
    },
    run: (request) => load.run(request),
    processes: () => [{ role: 'worker', pid: worker.pid, lasting: 'pool processes' }, ...load.pids.map((pid) => ({ role: 'client', pid }))],
    stop: () => Promise.all([...(load?.processes ?? []), ...(worker === undefined ? [] : [worker])].map(stopProcess)),
  };
}
