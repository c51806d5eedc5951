import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import { pythonUnderTest } from './optional';

const TERMINAL = join(__dirname, '..', 'fixtures', 'terminal.py');

/** A program in a terminal of its own, as a person would have it. */
export class TerminalSession {
  /** Everything it wrote, escape sequences and all. */
  output = '';
  readonly exited: Promise<number | null>;
  private readonly process: ChildProcessWithoutNullStreams;

  constructor(size: { columns: number; rows: number }, command: readonly string[], env: NodeJS.ProcessEnv) {
    const python = pythonUnderTest();
    const args = ['-B', TERMINAL, String(size.columns), String(size.rows), ...command];
    this.process = spawn(python.file, args, { env: { ...env, ...python.env } });
    this.process.stdout.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.process.stderr.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.exited = new Promise((resolve) => this.process.once('exit', resolve));
  }

  type(text: string): void {
    this.process.stdin.write(`key ${Buffer.from(text).toString('hex')}\n`);
  }

  resize(columns: number, rows: number): void {
    this.process.stdin.write(`size ${columns} ${rows}\n`);
  }

  signal(name: NodeJS.Signals): void {
    this.process.stdin.write(`kill ${name}\n`);
  }

  /** What stands on the screen now: what was drawn last, without its colours. */
  get screen(): string[] {
    const drawn = this.output.split('\u001b[H').at(-1) ?? '';
    // The terminal makes one more carriage return of each line end.
    return stripColours(drawn.split('\u001b[J')[0] ?? '').split(/\r*\n/);
  }

  end(): void {
    this.process.kill('SIGKILL');
  }
}

// Escape sequences are what it is about.
// eslint-disable-next-line no-control-regex
const stripColours = (text: string): string => text.replace(/\u001b\[[0-9;]*[mK]/g, '');
