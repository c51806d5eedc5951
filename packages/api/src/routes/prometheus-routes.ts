import type { ProcessMetrics } from '@python3-cluster/shared';
import type { Authenticator } from '../auth/authenticator';
import { requireMetricsKey } from '../auth/require-metrics-key';
import { refuseQuery } from '../requests/refuse-query';
import type { Route } from './route';

export interface PrometheusRouteOptions {
  readonly authenticator: Authenticator;
  readonly config: { readonly metricsToken: string };
  readonly metrics: ProcessMetrics;
}

/** What Prometheus scrapes. Answered also while draining, while every slot is held, and while Redis is away. */
export function createPrometheusRoutes({ authenticator, config, metrics }: PrometheusRouteOptions): Route[] {
  return [
    {
      method: 'get',
      path: '/metrics',
      handlers: [
        refuseQuery,
        requireMetricsKey(authenticator, config.metricsToken),
        async (_request, response) => {
          const text = await metrics.toPrometheus();
          response.status(200).setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8').end(text);
        },
      ],
    },
  ];
}
