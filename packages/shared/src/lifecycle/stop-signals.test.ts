import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '../../../../test/support/wait-for';
import { EXIT_CODES } from './exit-codes';

const DIST = join(__dirname, '..', '..', 'dist');

/** A process that does what `main.ts` of our programs does. `stop` is JavaScript for what stopping does. */
class Program {
  readonly process: ChildProcess;
  readonly exited: Promise<{ code: number | null; signal: string | null; at: number }>;
  private text = '';

  constructor(stop: string, drainMs = 60_000) {
    const code = `
      const { handleStopSignals } = require(${JSON.stringify(DIST)});
      const say = (text) => require('node:fs').writeSync(1, text + '\\n');
      setInterval(() => undefined, 1000);
      const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
      handleStopSignals({
        stop: async () => { say('stop'); ${stop}; say('stopped'); },
        drainMs: ${drainMs}, onSignal: (signal) => say('signal ' + signal), aliveStream: process.stdin,
      });
      say('up');`;
    this.process = spawn(process.execPath, ['-e', code], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.process.stdout?.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
    this.exited = new Promise((resolve) => this.process.once('close', (code, signal) => resolve({ code, signal, at: performance.now() })));
  }

  get said(): string[] {
    return this.text.split('\n').filter(Boolean);
  }

  async says(line: string): Promise<this> {
    await waitFor(`the program to say '${line}'`, () => this.said.includes(line));
    return this;
  }
}

const programs: Program[] = [];
const start = (stop: string, drainMs?: number): Promise<Program> => {
  const program = new Program(stop, drainMs);
  programs.push(program);
  return program.says('up');
};

describe('a process with our signal table', () => {
  let hanging: Program;
  let hangingSince: number;
  // Its end takes the five seconds of the grace; the other tests run meanwhile.
  beforeAll(async () => {
    hanging = await start('await new Promise(() => undefined)', 100);
    hanging.process.kill('SIGTERM');
    await hanging.says('stop');
    hangingSince = performance.now();
  });

  afterAll(() => {
    for (const { process: child } of programs) if (child.exitCode === null) child.kill('SIGKILL');
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('ends with 0 after it has stopped, at %s', async (signal) => {
    const program = await start('await later(50)');
    program.process.kill(signal);
    expect(await program.exited).toMatchObject({ code: EXIT_CODES.ok, signal: null });
    expect(program.said).toEqual(['up', `signal ${signal}`, 'stop', 'stopped']);
  });

  it('stops when its parent’s end of the pipe is gone', async () => {
    const program = await start('');
    program.process.stdin?.destroy();
    expect(await program.exited).toMatchObject({ code: EXIT_CODES.ok });
    expect(program.said).toEqual(['up', 'signal parent ended', 'stop', 'stopped']);
  });

  it('takes signals within half a second for echoes of the first', async () => {
    const program = await start('await later(300)');
    program.process.kill('SIGINT');
    await program.says('stop');
    program.process.kill('SIGINT');
    program.process.kill('SIGTERM');
    program.process.stdin?.destroy();
    expect(await program.exited).toMatchObject({ code: EXIT_CODES.ok });
    expect(program.said).toEqual(['up', 'signal SIGINT', 'stop', 'stopped']);
  });

  it('ends with 3 at once at a second signal later', async () => {
    const program = await start("await later(600); say('waiting'); await new Promise(() => undefined)");
    program.process.kill('SIGINT');
    await program.says('waiting');
    program.process.kill('SIGINT');
    expect(await program.exited).toMatchObject({ code: EXIT_CODES.forced, signal: null });
    expect(program.said).not.toContain('stopped');
  });

  it('ends with 3 where stopping fails', async () => {
    const program = await start("throw new Error('x')");
    program.process.kill('SIGTERM');
    expect(await program.exited).toMatchObject({ code: EXIT_CODES.forced });
  });

  it('ends with 3 where stopping hangs, after its drain time and the grace', async () => {
    const ended = await hanging.exited;
    expect(ended).toMatchObject({ code: EXIT_CODES.forced, signal: null });
    expect(ended.at - hangingSince).toBeGreaterThan(4_900);
    expect(ended.at - hangingSince).toBeLessThan(30_000);
  });
});
