export interface Progress {
  /** Shows a line of what happens next. */
  readonly report: (line: string) => void;
  /** Nothing slow comes any more. */
  readonly end: () => void;
}

/** Two seconds of silence look like a hang. */
const SILENT_MS = 1_500;

/** A start that says at least every two seconds what it is at, and for how long. */
export function createProgress(write: (line: string) => void): Progress {
  let last = 'Starting';
  let since = performance.now();
  const say = (line: string): void => {
    write(line);
    timer.refresh();
  };
  const timer = setInterval(() => {
    write(`  ${last} … ${((performance.now() - since) / 1_000).toFixed(0)} s`);
  }, SILENT_MS).unref();
  const report = (line: string): void => {
    last = line.trim().replace(/\s*(…|\.)$/, '');
    since = performance.now();
    say(line);
  };
  return { report, end: () => clearInterval(timer) };
}
