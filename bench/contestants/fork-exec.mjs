import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startLoadClients } from '../load-clients.mjs';
import { stopProcess } from '../processes.mjs';
import { CannotTakePart, DEBIAN_PYTHON } from '../requirements.mjs';
import { root } from '../root.mjs';

const peers = join(root, 'bench/peers');

/** A fresh Python process per job and nothing else: what `fresh` can reach at most. One loop per core, so one number. */
export function createForkExec({ cores }) {
  let load;
  return {
    name: 'fork-exec',
    title: 'bare fork + exec() (ceiling)',
    settings: `${cores} Python processes that fork per job, standard-library preload`,
    callers: [cores],
    async prepare() {
      if (!existsSync(DEBIAN_PYTHON)) throw new CannotTakePart(`${DEBIAN_PYTHON} is not there.`);
      load = startLoadClients({
        name: 'fork + exec()',
        count: cores,
        file: DEBIAN_PYTHON,
        args: [join(peers, 'fork_exec.py')],
        env: { PYTHONDONTWRITEBYTECODE: '1' },
        cwd: peers,
      });
      return {};
    },
    run: (request) => load.run(request),
    processes: () => load.pids.map((pid) => ({ role: 'forking loop', pid, passing: 'job processes' })),
    stop: () => Promise.all((load?.processes ?? []).map(stopProcess)),
  };
}
