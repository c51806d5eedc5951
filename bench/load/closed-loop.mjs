// A process that produces load: the Node side of what peers/closed_loop.py does for Python.
//
// One line on stdin, `{"callers": 8, "seconds": 5}`, starts a run; one line on stdout answers it. Each caller sends its next
// job when the last is answered. The sum of the operands is different for every job of a process, so an answer that belongs
// to someone else is seen. Jobs answered before the time is up count; those still under way are waited for and checked, and
// their latencies count, for leaving them out would hide the slowest. The process ends when stdin does.
import { createInterface } from 'node:readline';

/** `openCallers(n)` returns `{ call(a, b) → sum, close() }` for one run. */
export async function serveLoad({ base, openCallers }) {
  let operand = base;
  const nextOperand = () => (operand += 1);
  for await (const line of createInterface({ input: process.stdin })) {
    const { callers, seconds } = JSON.parse(line);
    const connections = await openCallers(callers);
    const tally = { jobs: 0, errors: 0, wrong: 0, latenciesMs: [] };
    const endsAt = performance.now() + seconds * 1000;
    await Promise.all(Array.from({ length: callers }, () => callUntil(endsAt, connections.call, nextOperand, tally)));
    await connections.close();
    process.stdout.write(`${JSON.stringify(tally)}\n`);
  }
  process.exit(0);
}

async function callUntil(endsAt, call, nextOperand, tally) {
  const addend = 1_000_003;
  for (let startedAt = performance.now(); startedAt < endsAt;) {
    const operand = nextOperand();
    let failure;
    try {
      const sum = await call(operand, addend);
      if (sum !== operand + addend) {
        tally.wrong += 1;
        failure = `${operand} + ${addend} was answered with ${JSON.stringify(sum)}`;
      }
    } catch (error) {
      failure = error.message;
    }
    const answeredAt = performance.now();
    if (failure === undefined) {
      tally.latenciesMs.push(Math.round((answeredAt - startedAt) * 1000) / 1000);
      if (answeredAt < endsAt) tally.jobs += 1;
    } else {
      tally.errors += 1;
      tally.firstError ??= failure;
    }
    startedAt = answeredAt;
  }
}
