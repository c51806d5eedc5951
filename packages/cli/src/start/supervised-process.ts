import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { cutLog, openLog, readLastLines } from './log-file';

export interface SupervisedProcessOptions {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Its output is appended here. */
  readonly logPath: string;
  readonly report: (line: string) => void;
}

const RESTART_PAUSE_MS = 1_000;
const LOG_LOOK_MS = 5_000;
const LAST_WORDS_LINES = 5;

/**
 * A long-running process of `start`, which is started again when it ends by itself. Its standard input is a pipe that
 * only we hold: whatever kills us, the process reads its end and stops.
 */
export class SupervisedProcess {
  private readonly options: SupervisedProcessOptions;
  private child: ChildProcess | undefined;
  private restart: NodeJS.Timeout | undefined;
  private readonly logLook: NodeJS.Timeout;
  private stopping = false;
  private ended: string | undefined;

  constructor(options: SupervisedProcessOptions) {
    this.options = options;
    this.logLook = setInterval(() => cutLog(options.logPath), LOG_LOOK_MS).unref();
  }

  /** How it ended when it did so last, by itself. */
  get lastEnd(): string | undefined {
    return this.ended;
  }

  start(): void {
    const { name, file, args, env, logPath, report } = this.options;
    const log = openLog(logPath);
    if (log === undefined) report(`${name} runs without a log: ${logPath} cannot be opened`);
    const output = log ?? 'ignore';
    // Its own process group: Ctrl-C reaches only us, and we stop things in their order.
    const child = spawn(file, args, { env, stdio: ['pipe', output, output], detached: true });
    if (log !== undefined) closeSync(log);
    child.stdin?.on('error', () => undefined);
    child.once('error', (error) => report(`${name} could not be started: ${error.message}`));
    child.once('exit', (code, signal) => {
      this.child = undefined;
      if (this.stopping) return;
      this.ended = `${name} ended with ${signal ?? `exit code ${code}`}; its log, ${logPath}, ends:\n${this.lastWords()}`;
      report(`${name} ended with ${signal ?? `exit code ${code}`} and is started again; its log: ${logPath}\n${this.lastWords()}`);
      this.restart = setTimeout(() => this.start(), RESTART_PAUSE_MS);
    });
    this.child = child;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Ends its standard input, and kills it if it is not gone in time. */
  stop(graceMs: number): Promise<void> {
    this.stopping = true;
    clearTimeout(this.restart);
    clearInterval(this.logLook);
    const child = this.child;
    if (child === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => killGroup(child), graceMs);
      child.once('exit', () => {
        clearTimeout(timer);
        resolve();
      });
      child.stdin?.end();
    });
  }

  /** At once, and whatever it has started with it. */
  kill(): void {
    this.stopping = true;
    clearTimeout(this.restart);
    if (this.child !== undefined) killGroup(this.child);
  }

  lastWords(): string {
    return readLastLines(this.options.logPath, LAST_WORDS_LINES);
  }
}

/** With all that it has started itself: a Redis that cannot write its file does not end when it is told to. */
function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}
