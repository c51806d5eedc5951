import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { listAlive } from './descendants';
import { listProcessesMentioning } from './test-cluster';
import { waitFor } from './wait-for';

interface Noted {
  readonly runDirectory: string;
  readonly apis: readonly { readonly pid: number }[];
  readonly workers: readonly { readonly pid: number }[];
}

/** They end with their Jest workers; what ran in this process is told to. Fails if anything is left of one: processes, or files. */
export async function stopStandardClusters(): Promise<void> {
  const folder = process.env['PYTHON3_TEST_STANDARD'] ?? '';
  const left: string[] = [];
  for (const name of readdirSync(folder).filter((entry) => entry.endsWith('.json'))) {
    const { runDirectory, apis, workers } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Noted;
    const pids = [...apis, ...workers].map(({ pid }) => pid);
    for (const pid of listAlive(pids)) process.kill(pid, 'SIGTERM');
    await waitFor('the standard cluster to end', () => listAlive(pids).length === 0);
    left.push(...listProcessesMentioning(runDirectory).map((pid) => `process ${pid}`), ...readdirSync(runDirectory));
    rmSync(runDirectory, { recursive: true, force: true });
  }
  rmSync(folder, { recursive: true, force: true });
  if (left.length > 0) throw new Error(`left behind of standard clusters: ${left.join(', ')}`);
}
