import type { StyledLine } from './styled-line';

const KEYS: readonly (readonly [string, string])[] = [
  ['up, down', 'mark another of the running jobs (also k, j)'],
  ['c', 'cancel the job that is marked; asks first'],
  ['h, ?', 'this help, and back'],
  ['q', 'end (also Ctrl-C)'],
];

const WORDS: readonly string[] = [
  'RUNNING JOB  what runs now, longest first; an admin key shows everybody’s, others their own',
  'NODES, SLOTS  red where nobody serves a lane that has jobs; a slot runs one job at a time',
  'CPU, MEMORY  of the node’s host, or of its unit or container where that has a limit',
  'Figures are read once a second. docs/operations.md says what to do about what you see.',
];

export const HELP: readonly StyledLine[] = [
  ...KEYS.map(([key, words]): StyledLine => [{ text: `  ${key.padEnd(10)}`, style: 'bold' }, { text: words }]),
  [],
  ...WORDS.map((text): StyledLine => [{ text: `  ${text}` }]),
];
