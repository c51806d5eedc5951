/** Whether a Content-Type says JSON in UTF-8: `application/json` or `application/…+json`. */
export function isJsonMediaType(contentType: string | undefined): boolean {
  if (contentType === undefined) return false;
  const [type = '', ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  return /^application\/(?:[a-z0-9!#$&^_.+-]+\+)?json$/.test(type) && parameters.every(isUtf8Parameter);
}

/** Other parameters mean nothing here; another character set would be read wrongly. */
const isUtf8Parameter = (parameter: string): boolean => !parameter.startsWith('charset=') || /^charset="?utf-?8"?$/.test(parameter);
