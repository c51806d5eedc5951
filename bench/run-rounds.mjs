import { setTimeout as sleep } from 'node:timers/promises';
import { startCpuMeter } from './cpu-meter.mjs';
import { percentile } from './statistics.mjs';

/** Node optimises what has run for some seconds; a server in use has. The same for all contestants. */
const WARM_UP_SECONDS = 10;
const PAUSE_MS = 150;

/**
 * Rounds are interleaved down to the number of callers: with 1 caller A, B, C; with 8 callers A, B, C; and again from the
 * start. What disturbs the machine for a while then disturbs all alike, and a ratio compares runs seconds apart.
 *
 * Gives one measurement per contestant, round and number of callers.
 */
export async function runRounds(contestants, { redis, callers, seconds, rounds, report }) {
  const warmUpSeconds = Math.min(WARM_UP_SECONDS, 3 * seconds);
  for (const contestant of contestants) {
    report(`Warming up ${contestant.title} …`);
    const warmUp = await contestant.run({
      callers: Math.max(...callersOf(contestant, callers)),
      seconds: warmUpSeconds,
    });
    if (warmUp.jobs === 0) throw new Error(`${contestant.title} did nothing in its warm-up: ${warmUp.firstError ?? 'no answer'}`);
  }
  const measurements = [];
  for (let round = 1; round <= rounds; round += 1) {
    report(`Round ${round} of ${rounds} …`);
    for (const run of listRuns(contestants, callers)) {
      await redis.settle();
      await sleep(PAUSE_MS);
      measurements.push({ round, ...(await measure(run, { redis, seconds })) });
    }
  }
  return measurements;
}

async function measure({ contestant, callers }, { redis, seconds }) {
  const readCpu = startCpuMeter([...contestant.processes(), { role: 'Redis', pid: redis.pid }]);
  const { jobs, errors, wrong, firstError, latenciesMs } = await contestant.run({ callers, seconds });
  const { cpuUs, foreignShare } = readCpu();
  const answered = latenciesMs.length;
  return {
    contestant: contestant.name,
    callers,
    jobs,
    errors,
    wrong,
    firstError,
    jobsPerSecond: jobs / seconds,
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    cpuUsPerJob: Object.fromEntries(Object.entries(cpuUs).map(([role, us]) => [role, us / answered])),
    foreignShare,
  };
}

function listRuns(contestants, callers) {
  const counts = [...new Set(contestants.flatMap((contestant) => callersOf(contestant, callers)))].sort((left, right) => left - right);
  return counts.flatMap((count) =>
    contestants
      .filter((contestant) => callersOf(contestant, callers).includes(count))
      .map((contestant) => ({ contestant, callers: count })),
  );
}

const callersOf = (contestant, callers) => contestant.callers ?? callers;
