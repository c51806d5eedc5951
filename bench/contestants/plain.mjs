import { join } from 'node:path';
import { startLoadClients } from '../load-clients.mjs';
import { stopProcess } from '../processes.mjs';
import { DEBIAN_PYTHON } from '../requirements.mjs';
import { root } from '../root.mjs';
import { calibrateWork, WORK_MS, workEnvironment } from '../work.mjs';

const peers = join(root, 'bench/peers');

/** The 100 ms job without us: what the overhead is measured against. */
export function createPlain({ cores }) {
  let load;
  return {
    name: 'plain',
    title: `${WORK_MS} ms job, plain Python`,
    settings: 'compile() and exec() in a loop, a process per caller',
    callers: [...new Set([1, cores])],
    async prepare() {
      calibrateWork();
      load = startLoadClients({
        name: 'plain Python',
        count: cores,
        file: DEBIAN_PYTHON,
        args: [join(peers, 'plain_python.py')],
        env: { ...workEnvironment(), PYTHONDONTWRITEBYTECODE: '1' },
        cwd: peers,
      });
      return {};
    },
    run: (request) => load.run(request),
    processes: () => load.pids.map((pid) => ({ role: 'Python', pid })),
    stop: () => Promise.all((load?.processes ?? []).map(stopProcess)),
  };
}
