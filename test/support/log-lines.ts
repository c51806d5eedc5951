/** Lines of a log that have all of these words. A cluster that files share has other files' lines in its log, too. */
export const linesWith = (log: string, ...words: readonly string[]): string[] =>
  log.split('\n').filter((line) => words.every((word) => line.includes(word)));
