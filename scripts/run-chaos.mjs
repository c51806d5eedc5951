// `npm run chaos`: the long forms of test/chaos, about eight minutes; one line of figures per scenario. Arguments go to Jest:
// `npm run chaos -- agreement` runs that one alone.
process.argv.splice(2, 0, '--testMatch', '**/test/chaos/*.chaos.ts', '--runInBand', '--verbose');
await import('./run-tests.mjs');
