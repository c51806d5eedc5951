import { startProcess } from './processes.mjs';

/** Operands of different processes never meet, so that no two jobs have the same sum. */
const OPERANDS_PER_PROCESS = 100_000_000;

/** Processes that produce load and share the callers between them. They live as long as the benchmark, idle between runs. */
export function startLoadClients({ name, count, file, args, env, cwd }) {
  const clients = Array.from({ length: count }, (_, index) =>
    startLoadClient({
      name: `${name} client ${index + 1}`,
      file,
      args,
      cwd,
      env: { ...env, BENCH_BASE: String(index * OPERANDS_PER_PROCESS) },
    }),
  );
  return {
    processes: clients.map(({ process }) => process),
    pids: clients.map(({ process }) => process.pid),
    async run({ callers, seconds }) {
      const shares = clients.map((_, index) => Math.floor(callers / count) + (index < callers % count ? 1 : 0));
      const tallies = await Promise.all(
        clients.filter((_, index) => shares[index] > 0).map((client, index) => client.run({ callers: shares[index], seconds })),
      );
      return tallies.reduce(addTallies);
    },
  };
}

function startLoadClient(options) {
  let answer;
  const process = startProcess({ ...options, stage: 'load', stdin: 'pipe', onLine: (line) => answer?.resolve(JSON.parse(line)) });
  void process.exited.then((how) => answer?.reject(new Error(`${options.name} ended (${how}) during a run.\n${process.readOutput()}`)));
  return {
    process,
    run: (request) =>
      new Promise((resolve, reject) => {
        if (!process.isRunning) throw new Error(`${options.name} has ended.\n${process.readOutput()}`);
        answer = { resolve, reject };
        process.stdin.write(`${JSON.stringify(request)}\n`);
      }),
  };
}

const addTallies = (left, right) => ({
  jobs: left.jobs + right.jobs,
  errors: left.errors + right.errors,
  wrong: left.wrong + right.wrong,
  firstError: left.firstError ?? right.firstError,
  latenciesMs: left.latenciesMs.concat(right.latenciesMs),
});
