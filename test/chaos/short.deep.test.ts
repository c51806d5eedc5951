import { defineChaosTests } from './scenarios';

defineChaosTests(
  'chaos, short form',
  {
    kills: 2,
    apiKills: 1,
    cutMs: 3_000,
    pauseMs: 2_500,
    restarts: [['SIGKILL', 'everysec'], ['SIGKILL', 'always']],
    killedProcesses: 8,
    overloadMs: 4_000,
    rolled: { nodes: 1, apis: 1 },
  },
  90_000,
); // prettier-ignore
