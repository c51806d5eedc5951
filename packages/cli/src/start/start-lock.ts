import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterError } from '@python3-cluster/shared';
import { readProcessStat } from '../provision/process-start-time';

/** One `start` per clone: a file with the pid and its start time, so that a recycled pid does not count. */
export function takeStartLock(directory: string): () => void {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, 'start.pid');
  const holder = readHolder(path);
  if (holder !== undefined) throw new ClusterError('ALREADY_RUNNING', `This clone is running already, as process ${holder}.`);
  writeFileSync(path, `${process.pid} ${readProcessStat(process.pid)?.startTime ?? ''}\n`);
  return () => rmSync(path, { force: true });
}

function readHolder(path: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const [pid, startTime] = text.trim().split(' ');
  const now = readProcessStat(Number(pid))?.startTime;
  return now !== undefined && now === startTime ? Number(pid) : undefined;
}
