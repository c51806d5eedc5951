import { randomInt } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { useStandardCluster } from '../support/standard-cluster';
import { ADMIN_KEY, listProcessesMentioning } from '../support/test-cluster';
import { assertOwnAnswers, exec, legacy, runAdminJob, runJob } from '../support/call';
import { program } from '../support/programs';

const cluster = useStandardCluster();

interface Row {
  readonly program: string;
  readonly admin?: boolean;
  readonly limits?: object;
  readonly status: string;
  readonly value?: unknown;
  readonly errorType?: string;
  readonly message?: RegExp;
  readonly line?: number;
  readonly limitsHit?: string[];
}

/** The outcome table: one program per row. */
const rows: Row[] = [
  { program: 'raises', status: 'failed', errorType: 'ValueError', message: /^bad reading$/, line: 2 },
  { program: 'exits_nonzero', admin: true, status: 'failed', errorType: 'SystemExit', message: /7/ },
  { program: 'exits_zero', admin: true, status: 'succeeded', value: 'so far' },
  { program: 'recurses_for_ever', status: 'failed', errorType: 'RecursionError' },
  { program: 'has_a_syntax_error', status: 'failed', errorType: 'SyntaxError', line: 2 },
  { program: 'is_refused_by_policy', status: 'failed', errorType: 'SecurityError', message: /Import of 'os' requires Administrator role/ },
  { program: 'ends_the_process', admin: true, status: 'crashed', message: /exit code 3/ },
  { program: 'kills_itself', admin: true, status: 'crashed', message: /SIGKILL/ },
  { program: 'segfaults', admin: true, status: 'crashed', message: /SIGSEGV/ },
  { program: 'loops_for_ever', limits: { timeoutMs: 500 }, status: 'timed_out', message: /timed out after 500 ms/ },
  { program: 'sleeps_for_ever', limits: { timeoutMs: 500 }, status: 'timed_out' },
  { program: 'loops_for_ever', limits: { cpuSeconds: 1, timeoutMs: 20_000 }, status: 'cpu_exceeded', message: /CPU time limit of 1 s/ },
  { program: 'burns_cpu_in_processes', admin: true, limits: { cpuSeconds: 1, timeoutMs: 20_000 }, status: 'cpu_exceeded' },
  { program: 'eats_memory', limits: { memoryMb: 64 }, status: 'out_of_memory', message: /memory limit of 64 MB/ },
  { program: 'eats_memory_in_processes', admin: true, limits: { memoryMb: 128, timeoutMs: 20_000 }, status: 'out_of_memory' },
  { program: 'floods_stdout', status: 'succeeded', value: 'done', limitsHit: ['output'] },
  { program: 'floods_stderr_by_descriptor', admin: true, status: 'succeeded', value: 'done', limitsHit: ['output'] },
  { program: 'writes_a_huge_file', admin: true, status: 'failed', errorType: 'OSError', limitsHit: ['file_size'] },
  { program: 'opens_too_many_files', admin: true, status: 'failed', errorType: 'OSError', limitsHit: ['open_files'] },
  { program: 'forges_frames', admin: true, status: 'crashed', errorType: 'ProtocolError' },
  { program: 'closes_every_descriptor', admin: true, status: 'crashed' },
];

describe('the outcome table', () => {
  it.each(rows)('$program $limits ends as $status, and the next 20 jobs get their own answers', async (row) => {
    const job = { kind: 'exec', code: program(row.program), ...row.limits };
    const answer = await (row.admin ? runAdminJob(cluster, job) : runJob(cluster, job));
    expect(answer.status).toBe(200);
    const { outcome, limitsHit } = answer.json;
    expect({ status: outcome.status, error: outcome.error?.message }).toMatchObject({ status: row.status });
    if ('value' in row) expect(outcome.value).toEqual(row.value);
    if (row.errorType) expect(outcome.error.type).toBe(row.errorType);
    if (row.message) expect(outcome.error.message).toMatch(row.message);
    if (row.line) expect(outcome.error.line).toBe(row.line);
    if (row.limitsHit) expect(limitsHit).toEqual(row.limitsHit);
    await assertOwnAnswers(cluster);
  });

  it('leaves no process behind when code tries to', async () => {
    // By these words they are found on the host, where they have other numbers.
    const seconds = `3600.${randomInt(1e9)}`;
    const answer = await runAdminJob(cluster, { code: program('leaves_processes_behind'), variables: { seconds } });
    expect(answer.json.outcome).toMatchObject({ status: 'succeeded', value: true });
    expect(listProcessesMentioning(seconds)).toEqual([]);
    await assertOwnAnswers(cluster);
  });

  it('keeps what was printed before a time-out', async () => {
    const answer = await runJob(cluster, { code: program('sleeps_for_ever'), timeoutMs: 500 });
    expect(answer.json.outcome).toMatchObject({ status: 'timed_out', stdout: 'going to sleep\n' });
  });

  it('takes text on descriptor 1 for output, never for an answer', async () => {
    const answer = await runAdminJob(cluster, { code: program('writes_to_descriptor_one') });
    expect(answer.json.outcome).toMatchObject({ status: 'succeeded', value: 'mine' });
    expect(answer.json.outcome.stdout).toContain('forged');
    expect(answer.json.outcome.stdout).toContain('from a subprocess');
    await assertOwnAnswers(cluster);
  });

  it('marks cut output and keeps its beginning', async () => {
    const answer = await runJob(cluster, { code: program('floods_stdout') });
    expect(answer.json.outcome.truncated).toBe(true);
    expect(Buffer.byteLength(answer.json.outcome.stdout as string)).toBe(1_048_576);
  });
});

describe('the predecessor’s routes', () => {
  it('answers 200 with success false for what the code did', async () => {
    const answer = await exec(cluster, '1 / 0');
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ success: false, errorType: 'ZeroDivisionError', status: 'failed' });
    expect(answer.json.error).toMatch(/^Python error: ZeroDivisionError: division by zero\nTraceback/);
  });

  it('says that a time-out was one', async () => {
    const answer = await legacy(cluster, 'exec', { code: program('loops_for_ever'), timeoutMs: 300 });
    expect(answer.json).toMatchObject({ success: false, status: 'timed_out' });
    expect(answer.json.error).toContain('timed out after 300 ms');
  });

  it('counts CPU time per job, not over the life of a process', async () => {
    // The predecessor counted CPU over a process's life and killed it in the middle of somebody's job.
    for (let index = 0; index < 6; index += 1) {
      const answer = await legacy(cluster, 'exec', { code: BURN, cpuSeconds: 1 }, { key: ADMIN_KEY });
      expect(answer.json).toMatchObject({ success: true, result: 'done' });
    }
  });
});

const BURN = `
import time
end = time.process_time() + 0.5
while time.process_time() < end:
    pass
result = 'done'
`;
