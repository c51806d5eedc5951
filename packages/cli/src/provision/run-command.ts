import { execFile } from 'node:child_process';

export interface CommandOptions {
  readonly timeoutMs: number;
  /** Added to this process's environment; `undefined` takes a name out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly argv0?: string;
  readonly signal?: AbortSignal | undefined;
}

export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
}

const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/** Runs a program without a shell. A failure's message names the command and carries the last lines it wrote. */
export function runCommand(file: string, args: readonly string[], options: CommandOptions): Promise<CommandOutput> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      [...args],
      {
        encoding: 'utf8',
        timeout: options.timeoutMs,
        maxBuffer: MAX_OUTPUT_BYTES,
        // Messages are matched and shown: keep them in one language.
        env: { ...process.env, LC_ALL: 'C.UTF-8', ...options.env },
        // execFile hands its options on to spawn, which knows argv0.
        ...(options.argv0 === undefined ? {} : { argv0: options.argv0 }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve({ stdout, stderr });
        const how = error.killed === true ? `did not finish within ${Math.round(options.timeoutMs / 1000)} s` : 'failed';
        const lastWords = tailOf(stderr) || tailOf(stdout) || error.message;
        reject(new Error(`${file} ${args.find((arg) => /^[a-z]/.test(arg)) ?? ''} ${how}: ${lastWords}`.replace(/ {2,}/g, ' '), { cause: error }));
      },
    );
    child.stdin?.end();
  });
}

export const tailOf = (output: string): string => output.trim().split('\n').slice(-4).join(' | ').slice(-600);
