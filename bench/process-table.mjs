// Who descends from whom and how much CPU each used, from /proc/<pid>/stat (proc(5)). Empty where there is no /proc.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

export const hasProcessTable = existsSync('/proc/self/stat');

const TICK_US = hasProcessTable ? 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) : NaN;

/** pid → { pid, parent, command, startTime, ownUs, reapedUs }; `reapedUs` is the CPU time of children that were waited for. */
export function readProcessTable() {
  if (!hasProcessTable) return new Map();
  const entries = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(name) ?? []);
  return new Map(entries.map((entry) => [entry.pid, entry]));
}

export function listDescendants(root, table = readProcessTable()) {
  const children = Map.groupBy?.([...table.values()], (entry) => entry.parent) ?? groupByParent(table);
  const found = [];
  for (const queue = [root]; queue.length > 0;) {
    const next = children.get(queue.pop()) ?? [];
    found.push(...next);
    queue.push(...next.map((entry) => entry.pid));
  }
  return found;
}

/** Whether that very process still runs: pids are used again. */
export function isSameProcess({ pid, startTime }) {
  const now = readStat(pid);
  return now !== undefined && now.startTime === startTime && now.state !== 'Z';
}

/** CPU of the whole machine since boot: total and idle. */
export function readMachineTime() {
  if (!hasProcessTable) return { totalUs: NaN, idleUs: NaN };
  const [user, nice, system, idle, ioWait, irq, softIrq, steal] = readFileSync('/proc/stat', 'latin1')
    .split('\n', 1)[0]
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return { totalUs: (user + nice + system + idle + ioWait + irq + softIrq + steal) * TICK_US, idleUs: (idle + ioWait) * TICK_US };
}

function readStat(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const end = stat.lastIndexOf(')');
    // fields[0] is field 3 of proc(5), the state
    const fields = stat.slice(end + 2).split(' ');
    const ticks = (field) => Number(fields[field - 3]);
    return {
      pid: Number(pid),
      command: stat.slice(stat.indexOf('(') + 1, end),
      state: fields[0],
      parent: ticks(4),
      startTime: ticks(22),
      ownUs: (ticks(14) + ticks(15)) * TICK_US,
      reapedUs: (ticks(16) + ticks(17)) * TICK_US,
    };
  } catch {
    return undefined; // it has just ended
  }
}

function groupByParent(table) {
  const groups = new Map();
  for (const entry of table.values()) groups.set(entry.parent, [...(groups.get(entry.parent) ?? []), entry]);
  return groups;
}
