import { closeSync, openSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { mostDescriptors, openDescriptors, watchDescriptors } from './descriptor-watch';

it('says once that descriptors are used up, and once that there are some again', async () => {
  expect(mostDescriptors()).toBeGreaterThan(100);
  const messages: string[] = [];
  const logger = pino({}, { write: (line: string) => void messages.push((JSON.parse(line) as { msg: string }).msg) });
  const before = openDescriptors() ?? 0;
  const stop = watchDescriptors(logger, (before + 50) * 2, 5);
  const files = Array.from({ length: before + 100 }, () => openSync('/dev/null', 'r'));
  try {
    await waitFor('the line', () => messages.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(messages).toEqual([expect.stringContaining('used up')]);
  } finally {
    for (const file of files) closeSync(file);
  }
  await waitFor('the other line', () => messages.length > 1);
  stop();
  expect(messages).toHaveLength(2);
});
