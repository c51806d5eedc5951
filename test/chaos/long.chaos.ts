import { defineChaosTests } from './scenarios';

/** `npm run chaos`; not part of `npm test`. */
const form = { kills: 15, cutMs: 10_000, pauseMs: 10_000, restarts: ['SIGTERM', 'SIGKILL', 'SIGKILL'], killedProcesses: 60 } as const;
defineChaosTests('chaos, long form', form, 180_000);
