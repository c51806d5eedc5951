import { InvalidArgumentError } from 'commander';

/** The base address of an API. @throws InvalidArgumentError */
export function parseTopUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '')
    throw new InvalidArgumentError('It must be an http:// or https:// address without user and password.');
  return url.origin + url.pathname.replace(/\/+$/, '');
}
