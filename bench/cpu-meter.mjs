import { listDescendants, readMachineTime, readProcessTable } from './process-table.mjs';

/**
 * How much CPU a run cost, by role. A contestant names its processes as `{ role, pid, lasting?, passing? }`: the process's
 * own time counts for `role`; of its descendants, those alive before and after count for `lasting`, and those that came and
 * went for `passing`. The latter is what is left of the tree's total, for a process that was waited for shows only in its
 * parent's record.
 *
 * `foreignShare` is what everybody else on the machine used, as a share of all cores: above a few percent the absolute
 * numbers of a run say little.
 */
export function startCpuMeter(processes) {
  const before = takeReading();
  return () => {
    const after = takeReading();
    const cpuUs = {};
    const add = (role, us) => {
      if (role !== undefined && us > 0) cpuUs[role] = (cpuUs[role] ?? 0) + us;
    };
    for (const { role, pid, lasting, passing } of processes) {
      const own = ownTime(after, pid) - ownTime(before, pid);
      const stayed = listDescendants(pid, after.table).filter((entry) => before.table.has(entry.pid));
      const lastingUs = sum(stayed.map((entry) => entry.ownUs - ownTime(before, entry.pid)));
      const total = treeTime(after, pid) - treeTime(before, pid);
      add(role, own);
      add(lasting ?? passing, lastingUs);
      add(passing ?? lasting, total - own - lastingUs);
    }
    const spent = after.machine.totalUs - before.machine.totalUs;
    const idle = after.machine.idleUs - before.machine.idleUs;
    const ours = treeTime(after, process.pid) - treeTime(before, process.pid);
    return { cpuUs, foreignShare: Math.max(0, (spent - idle - ours) / spent) };
  };
}

const takeReading = () => ({ table: readProcessTable(), machine: readMachineTime() });

const ownTime = ({ table }, pid) => table.get(pid)?.ownUs ?? 0;

const treeTime = ({ table }, pid) => {
  const tree = [table.get(pid), ...listDescendants(pid, table)].filter((entry) => entry !== undefined);
  return sum(tree.map((entry) => entry.ownUs + entry.reapedUs));
};

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
