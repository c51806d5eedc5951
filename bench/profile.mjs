// `npm run bench -- --profile`: what each microsecond of a job is spent on, by groups of functions and by Redis command.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** First match counts; functions without a file are V8's, Node's native ones and system calls, told by their names. */
const GROUPS = [
  ['idle', ({ name }) => name === '(idle)'],
  ['garbage collection', ({ name }) => name === '(garbage collector)'],
  ['native and kernel, outside JavaScript', ({ name }) => name === '(program)' || name === '(root)'],
  ['signatures (HMAC, hashes, random)', ({ name, url }) => isHash({ name }) || /^node:(internal\/)?crypto/.test(url)],
  ['BullMQ', ({ url }) => url.includes('/node_modules/bullmq/') || url.includes('/node_modules/msgpackr/')],
  ['Redis client (ioredis)', ({ url }) => /\/node_modules\/(ioredis|redis-parser|standard-as-callback|@ioredis|cluster-key-slot|denque)\//.test(url)],
  ['breaker (opossum)', ({ url }) => url.includes('/node_modules/opossum/')],
  ['Express', ({ url }) => /\/node_modules\/(express|router|finalhandler|send|qs|type-is|accepts|on-finished|parseurl)\//.test(url)],
  ['log (pino)', ({ url }) => /\/node_modules\/(pino|sonic-boom|thread-stream)/.test(url)],
  ['other packages', ({ url }) => url.includes('/node_modules/')],
  ['Node: HTTP', ({ url }) => /^node:(_http|internal\/http)/.test(url)],
  ['Node: sockets and streams', ({ url }) => /^node:(net|stream|internal\/stream|events|internal\/js_stream)/.test(url)],
  ['Node: files', ({ url }) => /^node:(fs|internal\/fs)/.test(url)],
  ['Node: timers and turns', ({ url }) => /^node:(timers|internal\/(timers|process))/.test(url)],
  ['Node: the rest', ({ url }) => url.startsWith('node:')],
]; // prettier-ignore

const isHash = ({ name }) => /^(hmac|hash|digest|oneShotDigest|randomFill|timingSafe)/i.test(name);

const OURS = /\/packages\/(\w+)\/dist\/(\w+)/;

const groupOf = (frame) => {
  const ours = OURS.exec(frame.url);
  if (frame.url === '' && !frame.name.startsWith('(') && !isHash(frame)) return `native: ${frame.name || 'callbacks'}`;
  return ours === null ? (GROUPS.find(([, matches]) => matches(frame))?.[0] ?? 'other') : `ours: ${ours[1]}/${ours[2]}`;
};

/** Self time by group, in microseconds, of the samples between two points of the monotonic clock (µs). */
export function readGroups(file, { from, to }) {
  const { nodes, samples, timeDeltas, startTime } = JSON.parse(readFileSync(file, 'utf8'));
  const groups = new Map(
    nodes.map(({ id, callFrame: { functionName, url } }) => [id, groupOf({ name: functionName, url: url.replace('file://', '') })]),
  );
  const spent = new Map();
  let now = startTime;
  for (const [index, id] of samples.entries()) {
    now += timeDeltas[index];
    if (now < from || now > to) continue;
    spent.set(groups.get(id), (spent.get(groups.get(id)) ?? 0) + timeDeltas[index]);
  }
  return spent;
}

/** One text table per profiled process and one of Redis, in microseconds per job. */
export function formatProfiles(contestants, directory) {
  const lines = [];
  for (const { name, title, profiled } of contestants) {
    const run = profiled?.();
    if (run === undefined) continue;
    for (const role of ['api', 'worker']) {
      const groups = readGroups(join(directory, `${name}-${role}.cpuprofile`), run);
      lines.push('', `${title}, ${role}: microseconds per job, ${run.callers} callers, ${run.jobs} jobs`);
      lines.push(...formatRows([...groups].filter(([group]) => group !== 'idle').map(([group, us]) => [group, us / run.jobs])));
    }
    lines.push('', `${title}, Redis: microseconds inside each command per job, and how often`);
    const commands = [...run.commands].map(([command, { calls, us }]) => [command, us / run.jobs, calls / run.jobs]);
    lines.push(...formatRows(commands.filter(([, us]) => us >= 0.05)));
  }
  return `${lines.join('\n')}\n`;
}

const formatRows = (rows) =>
  rows
    .sort((left, right) => right[1] - left[1])
    .filter(([, us]) => us >= 0.05)
    .map(([what, us, times]) => `  ${us.toFixed(1).padStart(8)}  ${what}${times === undefined ? '' : ` × ${times.toFixed(2)}`}`);

/** Wraps `run` so that the last run with the most callers is remembered, with its time and what Redis did in it. */
export function rememberRun(run, redis) {
  let last;
  const nowUs = () => Number(process.hrtime.bigint() / 1000n);
  return {
    profiled: () => last,
    run: async (request) => {
      const [before, from] = [await redis.commandStats(), nowUs()];
      const tally = await run(request);
      const [to, after] = [nowUs(), await redis.commandStats()];
      if (request.callers >= (last?.callers ?? 0)) {
        last = { callers: request.callers, jobs: tally.jobs, from, to, commands: difference(before, after) };
      }
      return tally;
    },
  };
}

function difference(before, after) {
  const changed = [...after].map(([command, { calls, us }]) => {
    const earlier = before.get(command) ?? { calls: 0, us: 0 };
    return [command, { calls: calls - earlier.calls, us: us - earlier.us }];
  });
  return new Map(changed.filter(([, { calls }]) => calls > 0));
}
