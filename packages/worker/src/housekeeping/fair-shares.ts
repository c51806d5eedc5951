/**
 * Shares a total among holders so that those who hold most give up first: nobody loses anything who holds no more than the
 * others are left with. Answers what each may keep, at most what it holds.
 */
export function fairShares<K>(held: ReadonlyMap<K, number>, total: number): Map<K, number> {
  const shares = new Map<K, number>();
  let left = total;
  const ascending = [...held].sort(([, a], [, b]) => a - b);
  for (const [index, [holder, holds]] of ascending.entries()) {
    const share = Math.max(0, Math.min(holds, Math.floor(left / (ascending.length - index))));
    shares.set(holder, share);
    left -= share;
  }
  return shares;
}
