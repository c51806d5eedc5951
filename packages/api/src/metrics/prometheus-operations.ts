import type { ProcessMetrics } from '@python3-cluster/shared';
import { defineFeature } from '../operations/feature';

/** What Prometheus scrapes. Answered also while draining, while every slot is held, and while Redis is away. */
export const prometheusFeature = defineFeature({
  name: 'prometheus',
  operations: {
    scrape: {
      method: 'get',
      path: '/metrics',
      access: 'metrics',
      effect: 'read',
      whileDraining: true,
      answers: { 200: '[metrics](metrics.md) in the text format of Prometheus' },
    },
  },
  create: ({ metrics }: { readonly metrics: ProcessMetrics }) => ({
    scrape: async ({ response }) => {
      const text = await metrics.toPrometheus();
      response.status(200).setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8').end(text);
    },
  }),
});
