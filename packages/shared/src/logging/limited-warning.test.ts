import { expect, it } from '@jest/globals';
import { pino } from 'pino';
import { waitFor } from '../../../../test/support/wait-for';
import { LimitedWarning } from './limited-warning';

it('what happens all the time is warned of once, and again later with how often it was', async () => {
  const lines: { msg: string; unsaid?: number }[] = [];
  const warning = new LimitedWarning(pino({}, { write: (line: string) => void lines.push(JSON.parse(line) as { msg: string }) }), 100);
  for (let time = 0; time < 50; time += 1) warning.warn({ error: 'OOM' }, 'queue');
  warning.warn({ error: 'OOM' }, 'another');
  expect(lines.map(({ msg }) => msg)).toEqual(['queue', 'another']);
  await waitFor('its time', () => {
    warning.warn({ error: 'OOM' }, 'queue');
    return lines.length > 2;
  });
  expect(lines[2]?.unsaid).toBeGreaterThanOrEqual(49);
});
