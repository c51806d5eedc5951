import { asBreach, type Config, type JobLimits, type OutcomeStatus } from '@python3-cluster/shared';

/**
 * Whether an end speaks against the program. A caller that lowers limits below the defaults has its jobs ended by its own
 * wish, and a crash may come of it, too.
 */
export function countsAsBreach(
  status: OutcomeStatus,
  { timeoutMs, memoryMb, cpuSeconds }: JobLimits,
  { timeoutSeconds, maxMemoryMb, maxCpuSeconds }: Pick<Config, 'timeoutSeconds' | 'maxMemoryMb' | 'maxCpuSeconds'>,
): boolean {
  if (asBreach(status) === undefined) return false;
  return timeoutMs >= timeoutSeconds * 1_000 && memoryMb >= maxMemoryMb && cpuSeconds >= maxCpuSeconds;
}
