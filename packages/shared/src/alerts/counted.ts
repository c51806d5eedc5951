/** `1 job`, `2 jobs`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** `1 job waits`, `2 jobs wait`. */
export const countedAnd = (count: number, noun: string, singular: string, plural: string): string =>
  `${counted(count, noun)} ${count === 1 ? singular : plural}`;
