import type { MetricSource } from '@python3-cluster/shared';
import type { ElectedReplica } from '../cluster/elected-replica';
import type { RedisProbe } from '../cluster/redis-health';
import type { BreakerState, RedisBreaker } from '../redis/redis-breaker';
import type { InFlight } from '../requests/in-flight';

const BREAKER_STATES: readonly BreakerState[] = ['closed', 'open', 'half-open'];

export interface ApiParts {
  readonly breaker: RedisBreaker;
  readonly probe: RedisProbe;
  readonly elected: ElectedReplica;
  readonly inFlight: InFlight;
}

/** What one replica tells of itself. */
export function observeApi({ breaker, probe, elected, inFlight }: ApiParts): MetricSource {
  let opened = 0;
  breaker.on('open', () => (opened += 1));
  return (report) => {
    for (const state of BREAKER_STATES) report('breakerState', breaker.state === state ? 1 : 0, { state });
    report('breakerOpened', opened);
    report('redisWritable', probe.health().writable ? 1 : 0);
    report('elected', elected.isElected ? 1 : 0);
    report('httpActive', inFlight.active);
  };
}
