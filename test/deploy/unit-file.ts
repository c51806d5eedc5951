import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './compose-file';

/** The settings of a unit's section; one that is given several times has several values. */
export type UnitSection = ReadonlyMap<string, readonly string[]>;

export function readUnit(name: string): Readonly<Record<string, UnitSection>> {
  const sections: Record<string, Map<string, string[]>> = {};
  let section = '';
  for (const line of readFileSync(join(repository, 'deploy', 'systemd', `${name}.service`), 'utf8').split('\n')) {
    if (line.startsWith('#') || line.trim() === '') continue;
    const heading = /^\[(\w+)\]$/.exec(line)?.[1];
    if (heading !== undefined) sections[(section = heading)] = new Map();
    const [, setting, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (setting !== undefined && value !== undefined) {
      const known = sections[section]?.get(setting) ?? [];
      sections[section]?.set(setting, [...known, value]);
    }
  }
  return sections;
}

/** `MemoryMax=4G` in MiB. */
export function parseUnitMebibytes(size: string): number {
  const [, count, unit] = /^(\d+)([MG])$/.exec(size) ?? [];
  if (count === undefined) throw new Error(`not a size in M or G: ${size}`);
  return Number(count) * (unit === 'G' ? 1_024 : 1);
}
