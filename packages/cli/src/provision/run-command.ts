import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

export interface CommandOptions {
  readonly timeoutMs: number;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly argv0?: string;
  readonly signal?: AbortSignal | undefined;
  /** Hears the lines that the program writes to descriptor 3. */
  readonly onStatus?: (line: string) => void;
}

const MAX_OUTPUT_CHARACTERS = 4 * 1024 * 1024;

/**
 * Runs a program without a shell and resolves with what it printed. A failure's message names the command and carries the
 * last lines it wrote. (`execFile` would do, if it knew `argv0`.)
 */
export function runCommand(file: string, args: readonly string[], options: CommandOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe', ...(options.onStatus ? (['pipe'] as const) : [])],
      timeout: options.timeoutMs,
      // Messages are matched and shown: keep them in one language.
      env: { ...process.env, LC_ALL: 'C.UTF-8', ...options.env },
      ...(options.argv0 === undefined ? {} : { argv0: options.argv0 }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    if (options.onStatus) createInterface({ input: child.stdio[3] as Readable }).on('line', options.onStatus);
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (stdout = (stdout + chunk).slice(-MAX_OUTPUT_CHARACTERS)));
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (stderr = (stderr + chunk).slice(-MAX_OUTPUT_CHARACTERS)));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(stdout);
      const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
      const lastWords = tailOf(stderr) || tailOf(stdout);
      reject(new Error(`${nameCommand(file, args)} ${how}${lastWords === '' ? '' : `: ${lastWords}`}`));
    });
  });
}

/** Without the options: `apt-get install redis-tools`. */
function nameCommand(file: string, args: readonly string[]): string {
  const words = args.filter((arg) => /^[a-z][\w.+@-]*$/.test(arg));
  return [file, ...words].join(' ');
}

const tailOf = (output: string): string => output.trim().split('\n').slice(-4).join(' | ').slice(-600);
