// `npm run chaos`: the long form of test/chaos, about four minutes; one line of figures per scenario. Arguments go to Jest.
process.argv.splice(2, 0, '--testMatch', '**/test/chaos/long.chaos.ts', '--verbose');
await import('./run-tests.mjs');
