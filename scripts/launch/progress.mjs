import { report } from './root.mjs';

/** A line at least this often: two seconds of silence look like a hang. */
const EVERY_MS = 1_000;

/**
 * Says what is under way, and every second how far it is. How long it took is kept as a measure of the process, from which
 * the banner of `start` reads it.
 */
export async function withProgress({ name, words, howFar = () => '' }, action) {
  const start = performance.now();
  const isTerminal = process.stderr.isTTY === true;
  report(`${words} …`);
  const timer = setInterval(() => {
    const line = `  ${howFar()} ${((performance.now() - start) / 1_000).toFixed(0)} s`.replace(/ {3,}/, '  ');
    process.stderr.write(isTerminal ? `\r${line}\x1b[K` : `${line}\n`);
  }, EVERY_MS);
  try {
    await action();
    performance.measure(`start: ${name}`, { start, end: performance.now() });
  } finally {
    clearInterval(timer);
    if (isTerminal) process.stderr.write('\r\x1b[K');
  }
}
