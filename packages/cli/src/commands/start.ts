import { relative } from 'node:path';
import { handleStopSignals, loadConfig, type IsolationLevel } from '@python3-cluster/shared';
import { dataDirectoryOf } from '../data-directory';
import { loadEnvironment } from '../load-environment';
import { createProgress } from '../start/progress';
import { longestDrainSeconds, startCluster, type StartedCluster } from '../start/start-cluster';
import { describeTimeTaken } from '../start/time-taken';
import { watchAncestors } from '../start/watch-ancestors';

/** Of API, worker node and Redis, one after the other, beyond the time they drain. */
const GRACES_MS = 60_000;

export async function runStartCommand(): Promise<void> {
  const environment = loadEnvironment();
  const progress = createProgress((line) => console.log(line));
  const cluster = await startCluster({
    environment,
    dataDirectory: dataDirectoryOf(environment),
    report: progress.report,
    onStoppable: ({ stop, endNow, describeWait }) => {
      const { config } = loadConfig(environment);
      let said = Promise.resolve();
      const stopAll = handleStopSignals({
        // The API is asked what runs before it is told to stop.
        stop: () => said.then(stop),
        endNow: () => (console.log('ending what still runs'), endNow()),
        drainMs: longestDrainSeconds(config) * 1_000 + GRACES_MS,
        onSignal: (signal) => void (said = describeWait().then((words) => console.log(`\n${signal}: ${words}`))),
        onEnd: (isInOrder) => console.log(isInOrder ? 'Stopped.' : 'Stopped. What still ran was ended.'),
      });
      watchAncestors(() => stopAll('the parent process is gone'));
    },
  }).finally(progress.end);
  console.log(formatWelcome(cluster));
}

const ISOLATION_WORDS: Readonly<Record<IsolationLevel, string>> = {
  A: 'Isolation level A: code has users, namespaces, Landlock and seccomp around it.',
  B: 'Isolation level B: code is contained, with one layer less than there could be; `npx python3-cluster doctor` says which.',
  C: 'WARNING: isolation level C: code runs as your own user, behind Landlock and seccomp only; `npx python3-cluster doctor` says why.',
  D: 'WARNING: isolation level D: nothing contains code. Only ADMIN jobs are run. Run only code you trust.',
};

function formatWelcome(cluster: StartedCluster): string {
  const { address, firstJob, secrets } = cluster;
  const up = describeTimeTaken();
  return `
${firstJob.state === 'answered' ? `First job: 2 ** 100 = ${firstJob.answer}, answered in ${firstJob.ms.toFixed(0)} ms. ${up}` : `The cluster is up. Its first job waits behind others (${firstJob.why}). ${up}`}

  Address   ${address}
  Sign in   ${address}${cluster.signInPath}   (once, within 10 minutes)
  Keys      ${relative(process.cwd(), secrets.developerKey)}, ${relative(process.cwd(), secrets.adminKey)}

Try it:

${formatCurl(cluster)}

${cluster.isolationLevel === undefined ? '' : ISOLATION_WORDS[cluster.isolationLevel]}
Ctrl-C stops everything.`;
}

/** The predecessor's route, whose jobs go to the lane `default`; where nobody serves that, the modern one. */
function formatCurl({ address, developerKey, lane }: StartedCluster): string {
  const headers = `-H "Authorization: Bearer ${developerKey}" -H 'Content-Type: application/json'`;
  const code = 'import math; result = math.sqrt(16)';
  return lane === 'default'
    ? `curl -s ${address}/data/python3integration/api/v1/exec ${headers} -d '${JSON.stringify({ code })}'`
    : `curl -s ${address}/api/v1/jobs ${headers} -H 'Prefer: wait=30' -d '${JSON.stringify({ code, lane })}'`;
}
