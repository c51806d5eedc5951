import { expect, it } from '@jest/globals';
import { timeZone } from './time-zone';

it.each(['UTC', 'Europe/Berlin', ':Europe/Berlin', 'CET-1CEST,M3.5.0,M10.5.0/3', '<+03>-3', 'EST5EDT', 'Etc/GMT+3'])('%s is a time zone', (name) => {
  expect(timeZone(name)).toEqual({ ok: true, value: name });
}); // prettier-ignore

it.each(['Europe/Berln', 'Berlin', 'europe', 'Europe', 'Mars/Base', '../../etc/passwd', '/none', '', 'x y'])('%s is none: code would run on UTC', (name) => {
  expect(timeZone(name).ok).toBe(false);
}); // prettier-ignore
