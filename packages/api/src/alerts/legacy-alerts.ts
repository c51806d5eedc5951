import type { Alert, AlertName } from '@python3-cluster/shared';
import { LISTED_MS } from './alert-evaluator';
import type { AlertStore } from './alert-store';

/** As the predecessor's `metrics/alerts` lists it. */
export interface LegacyAlert {
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly alert_id: string;
  readonly message: string;
  readonly severity: 'WARNING' | 'CRITICAL';
}

/** The alerts it knew; its clients know no others. */
const LEGACY_NAMES: readonly AlertName[] = ['POOL_UTILIZATION_CRITICAL', 'POOL_UTILIZATION_HIGH', 'FAILURE_RATE_HIGH'];

/**
 * What was true within the last five minutes, newest first: once for each minute of it, at the most, as the predecessor had
 * it. Whether it is still true, it never told.
 */
export async function readLegacyAlerts(store: AlertStore, now = Date.now()): Promise<LegacyAlert[]> {
  const [active, ended] = await Promise.all([store.readActive(), store.readHistory()]);
  const alerts = [...[...active.values()].map(({ alert }) => alert), ...ended];
  return alerts
    .filter(({ name }) => LEGACY_NAMES.includes(name))
    .flatMap(toLegacyAlerts)
    .filter(({ timestamp }) => now - timestamp <= LISTED_MS)
    .sort((one, other) => other.timestamp - one.timestamp);
}

const toLegacyAlerts = ({ name, severity, occurrences }: Alert): LegacyAlert[] =>
  occurrences.map(({ at, message }) => ({ timestamp: at, alert_id: name, message, severity }));
