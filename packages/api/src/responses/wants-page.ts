import type { IncomingMessage } from 'node:http';

const KEY_HEADERS = ['authorization', 'x-api-key', 'x-python3-admin-key'];
/** What Java's own client asks for if nobody tells it: it says `text/html`, and reads JSON. Gateways use it. */
const JAVA_DEFAULT = /\*\s*;\s*q=\.2/;

/**
 * Whether a person in a browser reads the answer: a page is navigated to, or a form is sent, and no key comes along, which no
 * browser sends by itself. Programs get JSON.
 */
export function wantsPage({ method, headers }: IncomingMessage): boolean {
  const { accept = '', 'content-type': contentType = '' } = headers;
  if (KEY_HEADERS.some((name) => headers[name] !== undefined) || JAVA_DEFAULT.test(accept)) return false;
  const isForm = method === 'POST' && (contentType === '' || contentType.startsWith('application/x-www-form-urlencoded'));
  if (method !== 'GET' && method !== 'HEAD' && !isForm) return false;
  const ranges = accept.toLowerCase().split(',').map((range) => range.split(';')[0]?.trim()); // prettier-ignore
  const html = ranges.indexOf('text/html');
  const json = ranges.indexOf('application/json');
  return html >= 0 && (json < 0 || html < json);
}
