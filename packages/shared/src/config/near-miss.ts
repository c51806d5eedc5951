/** Whether two names differ by at most two typed characters, or only by underscores. */
export function isNearMiss(name: string, known: string): boolean {
  if (name === known) return false;
  const bare = (text: string): string => text.replaceAll('_', '');
  return bare(name) === bare(known) || editDistance(name, known) <= 2;
}

/** The known name that was most likely meant; undefined where none is like it. Longer names may differ by more. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const allowed = Math.max(1, Math.floor(name.length / 5));
  const distances = known.map((candidate) => ({ candidate, distance: editDistance(name, candidate) }));
  const nearest = distances.sort((one, other) => one.distance - other.distance)[0];
  return nearest !== undefined && nearest.distance <= allowed ? nearest.candidate : known.find((candidate) => isNearMiss(name, candidate));
}

/** Characters inserted, left out or replaced, and neighbours exchanged (optimal string alignment). */
function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      const isExchanged = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const exchanged = isExchanged ? (before[column - 2] ?? 0) + 1 : Infinity;
      current.push(Math.min(replaced, exchanged, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    before = previous;
    previous = current;
  }
  return previous[to.length] ?? 0;
}
