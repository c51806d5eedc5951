import { InvalidArgumentError } from 'commander';
import { optionTable } from '@python3-cluster/shared';

export const DEFAULT_TOP_URL = `http://127.0.0.1:${optionTable.port.default}`;

/** The base address of an API. @throws InvalidArgumentError */
export function parseTopUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '')
    throw new InvalidArgumentError('It must be an http:// or https:// address without user and password.');
  return url.origin + url.pathname.replace(/\/+$/, '');
}
