import { defineChaosTests } from './scenarios';

const form = { kills: 2, cutMs: 3_000, pauseMs: 2_500, restarts: ['SIGKILL'], killedProcesses: 8 } as const;
defineChaosTests('chaos, short form', form, 60_000);
