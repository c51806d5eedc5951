import { ClusterError, optionTable, type Config, type JobLimits } from '@python3-cluster/shared';
import { readInteger } from './fields';
import type { Members } from './members';

export const LIMIT_FIELDS = ['timeoutMs', 'memoryMb', 'cpuSeconds'] as const;

/** What the job asks for, else the defaults. @throws ClusterError LIMIT_ABOVE_CEILING, REQUEST_INVALID */
export function readLimits(members: Members, config: Config): JobLimits {
  return {
    timeoutMs:
      readLimit(members, {
        name: 'timeoutMs',
        least: 10,
        most: config.timeoutCeilingSeconds * 1_000,
        ceiling: optionTable.timeoutCeilingSeconds.name,
      }) ?? config.timeoutSeconds * 1_000,
    memoryMb:
      readLimit(members, { name: 'memoryMb', least: 32, most: config.memoryCeilingMb, ceiling: optionTable.memoryCeilingMb.name }) ??
      config.maxMemoryMb,
    cpuSeconds:
      readLimit(members, { name: 'cpuSeconds', least: 1, most: config.cpuCeilingSeconds, ceiling: optionTable.cpuCeilingSeconds.name }) ??
      config.maxCpuSeconds,
  };
}

interface LimitRule {
  readonly name: (typeof LIMIT_FIELDS)[number];
  readonly least: number;
  readonly most: number;
  /** The setting a caller has to ask the operator about. */
  readonly ceiling: string;
}

function readLimit(members: Members, { name, least, most, ceiling }: LimitRule): number | undefined {
  const value = readInteger(members, name, least);
  if (value !== undefined && value > most) {
    throw new ClusterError('LIMIT_ABOVE_CEILING', `'${name}' must be at most ${most} (${ceiling}), not ${value}.`);
  }
  return value;
}
