import { alertFeature } from './alerts/alert-operations';
import { signInFeature } from './sign-in/sign-in-operations';
import { healthFeature } from './cluster/health-operations';
import { versionFeature } from './cluster/version-operations';
import { workerFeature } from './cluster/worker-operations';
import type { Feature } from './operations/feature';
import type { Core } from './serve/core';
import { eventFeature } from './events/event-operations';
import { homeFeature } from './home/home-operations';
import { jobFeature } from './jobs/job-operations';
import { runningFeature } from './jobs/running-operations';
import { legacyAlertFeature } from './legacy/legacy-alert-operations';
import { legacyJobFeature } from './legacy/legacy-job-operations';
import { legacyMetricsFeature } from './legacy/legacy-metrics-operations';
import { legacyStatusFeature } from './legacy/legacy-status-operations';
import { metricsFeature } from './metrics/metrics-operations';
import { prometheusFeature } from './metrics/prometheus-operations';
import { quarantineFeature } from './quarantine/quarantine-operations';

/** All that this API offers. A feature is added by its own folder and one line here. */
export const features: readonly Feature<Core>[] = [
  jobFeature,
  eventFeature,
  runningFeature,
  workerFeature,
  versionFeature,
  metricsFeature,
  alertFeature,
  quarantineFeature,
  healthFeature,
  prometheusFeature,
  homeFeature,
  signInFeature,
  legacyJobFeature,
  legacyStatusFeature,
  legacyMetricsFeature,
  legacyAlertFeature,
];
