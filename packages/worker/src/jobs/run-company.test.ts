import { expect, it } from '@jest/globals';
import { RunCompany } from './run-company';

it('a run was alone only if no other of its mode has run at any moment of it', () => {
  const company = new RunCompany();
  const first = company.enter('admin');
  const other = company.enter('restricted');
  expect([first.wasAlone, other.wasAlone]).toEqual([true, true]);
  const second = company.enter('admin');
  second.leave();
  expect([first.wasAlone, second.wasAlone, other.wasAlone]).toEqual([false, false, true]);
  first.leave();
  expect(company.enter('admin').wasAlone).toBe(true);
});
