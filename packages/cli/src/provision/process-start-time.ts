import { readFileSync } from 'node:fs';

/** What `/proc/<pid>/stat` says (proc(5)); undefined where there is no such process, or no `/proc`. */
export interface ProcessStat {
  readonly parentPid: number;
  /** A letter; Z and X are dead, whether or not anybody has collected them. */
  readonly state: string;
  /** Clock ticks after boot. With the pid it names a process for good: pids are used again. */
  readonly startTime: string;
  readonly name: string;
}

export function readProcessStat(pid: number): ProcessStat | undefined {
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return undefined;
  }
}

/** The name may hold blanks and parentheses, so fields are counted from its last one. */
export function parseProcessStat(line: string): ProcessStat | undefined {
  const open = line.indexOf('(');
  const close = line.lastIndexOf(')');
  if (open === -1 || close === -1) return undefined;
  const fields = line.slice(close + 2).split(' ');
  const [state, parentPid] = fields;
  const startTime = fields[19];
  if (state === undefined || parentPid === undefined || startTime === undefined) return undefined;
  return { parentPid: Number(parentPid), state, startTime, name: line.slice(open + 1, close) };
}
