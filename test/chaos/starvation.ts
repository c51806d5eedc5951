/** A time at which the host did not let a node run. Epoch milliseconds. */
export interface Starvation {
  readonly node: string;
  readonly from: number;
  /** How long its effects on locks may show. */
  readonly until: number;
}

/** What a process says of its own event loop (`loop-watch.ts`). */
interface LateTurn {
  readonly time: string;
  readonly lateMs: number;
  readonly cpuMs: number;
}

/** A late turn is told within this time of it. */
const TOLD_WITHIN_MS = 1_000;
/** A lock of 2 s, which the next look finds expired. */
const AFTERMATH_MS = 3_000;

export function listLateTurns(log: string, since: number): LateTurn[] {
  const lines = log.split('\n').filter((line) => line.includes('"lateMs":'));
  return lines.map((line) => JSON.parse(line) as LateTurn).filter(({ time }) => Date.parse(time) >= since);
}

/** Of a node that was late although it hardly worked. A loop that its own work holds up is the product's fault, and none of these. */
export function listStarvations(node: string, turns: readonly LateTurn[]): Starvation[] {
  const starved = turns.filter(({ lateMs, cpuMs }) => cpuMs < lateMs / 2);
  return starved.map(({ time, lateMs }) => ({
    node,
    from: Date.parse(time) - TOLD_WITHIN_MS - lateMs,
    until: Date.parse(time) + AFTERMATH_MS,
  }));
}
