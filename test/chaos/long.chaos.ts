import { defineChaosTests } from './scenarios';

/** `npm run chaos`; not part of `npm test` or `npm run test:deep`. */
defineChaosTests(
  'chaos, long form',
  {
    kills: 15,
    apiKills: 6,
    cutMs: 10_000,
    pauseMs: 20_000,
    restarts: [['SIGTERM', 'everysec'], ['SIGKILL', 'everysec'], ['SIGTERM', 'always'], ['SIGKILL', 'always'], ['SIGKILL', 'everysec']],
    killedProcesses: 60,
    overloadMs: 30_000,
    rolled: { nodes: 3, apis: 2 },
  },
  240_000,
); // prettier-ignore
