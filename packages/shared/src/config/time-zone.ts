import { existsSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { Parsed, Parser } from './option';

const ZONES = '/usr/share/zoneinfo';

/** `CET-1CEST,M3.5.0,M10.5.0/3` or `<+03>-3`: an abbreviation and how far it is from UTC (POSIX). */
const RULE = /^(<[A-Za-z0-9+-]{3,}>|[A-Za-z]{3,})[+-]?\d{1,3}(:\d{2}){0,2}([<A-Za-z,].*)?$/;

/**
 * A time zone that code will find. The C library takes a name that it does not know for UTC and says nothing, so that every
 * local time of a plant would be wrong by hours; here it stops the start.
 */
export const timeZone: Parser<string> = (text): Parsed<string> => {
  const name = text.replace(/^:/, '');
  return isZone(name) ? { ok: true, value: text } : { ok: false, problem: 'must be a time zone of this host, such as Europe/Berlin' };
};

function isZone(name: string): boolean {
  if (name.length > 64 || !/^[A-Za-z0-9_+\-/:.,<>]+$/.test(name) || name.split('/').includes('..')) return false;
  if (isAbsolute(name)) return isFile(name);
  if (RULE.test(name)) return true;
  return existsSync(ZONES) ? isFile(join(ZONES, name)) : isKnownToNode(name);
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** Its own table, where the host has none. */
function isKnownToNode(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}
