import { expect, it } from '@jest/globals';
import { createJobId } from '../jobs/job-id';
import { formatWatch, parseWatch } from './output-watch';

const watch = {
  jobId: createJobId(`lane-${'x'.repeat(25)}`),
  replicaId: '0b8ee5ab-7c8f-4b6c-9f77-0f3a9c1e8a11',
  position: { attempt: 999_999_999, stdout: 9_999_999_999, stderr: 0 },
};

it('a watch is read as it was written', () => {
  expect(parseWatch(formatWatch(watch))).toEqual(watch);
});

it.each([
  '',
  'x',
  'default.1 replica',
  'default.1 replica 1.2',
  'default.1 replica 1.2.3 ',
  'default.1 re:plica 1.2.3',
  'default.1 replica\n 1.2.3',
  'DEFAULT.1 replica 1.2.3',
  `default.1 ${'r'.repeat(65)} 1.2.3`,
  `${'d'.repeat(300)} replica 1.2.3`,
])('%j is none', (text) => {
  expect(parseWatch(text)).toBeUndefined();
});
