/** Numbers only, most significant first: `7.0.15` is `[7, 0, 15]`. */
export type ProgramVersion = readonly number[];

/** What `redis-server --version` or `valkey-server --version` prints: `Redis server v=7.0.15 sha=…`. */
export const parseServerVersion = (output: string): string | undefined => /\bserver\s+v=(\d+(?:\.\d+)*)/i.exec(output)?.[1];

/** The upstream part of a Debian version: `5:7.0.15-1~deb12u10` is `7.0.15`. */
export const parseDebianVersion = (version: string): string | undefined => /^(?:\d+:)?(\d+(?:\.\d+)*)/.exec(version)?.[1];

export const toProgramVersion = (version: string): ProgramVersion => version.split('.').map((part) => Number.parseInt(part, 10) || 0);

export function isAtLeast(version: string, floor: string): boolean {
  const have = toProgramVersion(version);
  const need = toProgramVersion(floor);
  for (let place = 0; place < Math.max(have.length, need.length); place += 1) {
    const difference = (have[place] ?? 0) - (need[place] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
