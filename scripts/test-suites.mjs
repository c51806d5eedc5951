/** A file called `*.deep.test.ts` runs in `npm run test:deep`, every other `*.test.ts` in `npm test`. */
const DEEP = String.raw`\.deep\.test\.ts$`;

/** Jest's arguments for each of the two. */
export const SUITES = {
  standard: ['--testPathIgnorePatterns', '/node_modules/', DEEP],
  deep: ['--testPathPatterns', DEEP],
};
