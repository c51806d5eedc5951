/** Whether two names differ by at most two typed characters (Levenshtein distance 1 or 2), or only by underscores. */
export function isNearMiss(name: string, known: string): boolean {
  if (name === known) return false;
  const bare = (text: string): string => text.replaceAll('_', '');
  return bare(name) === bare(known) || editDistance(name, known) <= 2;
}

function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (previous[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[to.length] ?? 0;
}
