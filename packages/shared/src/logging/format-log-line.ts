import { STATUS_CODES } from 'node:http';

const COLOURS: Readonly<Record<string, string>> = { fatal: '1;31', error: '31', warn: '33', info: '32', debug: '2', trace: '2' };
const DIM = '2';
const BOLD = '1';

/** Told in the line itself, or of no use to whoever reads along. */
const UNTOLD = new Set(['level', 'time', 'service', 'pid', 'msg', 'err']);

/** What could move the cursor, turn the direction of writing or break the line. Names in a log come from callers and hosts. */
const NOT_PLAIN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const toPlain = (text: string): string => text.replace(NOT_PLAIN, '?');

/** One JSON log line for a person: time, level, who, what, and the rest as `name=value`. What is no such line stays as it is. */
export function formatLogLine(line: string, colours: boolean): string {
  const entry = parseEntry(line);
  if (entry === undefined) return line;
  const paint = (text: string, code: string): string => (colours && text !== '' ? `\u001b[${code}m${text}\u001b[0m` : text);
  const { level = 'info', time = '', service = '', msg = '', err } = entry;
  const words = [
    paint(toPlain(localTime(String(time))), DIM),
    paint(toPlain(String(level)).toUpperCase().padEnd(5), COLOURS[String(level)] ?? BOLD),
    paint(toPlain(String(service)).padEnd(6), DIM),
    paint(toPlain(String(msg)), level === 'info' ? '0' : BOLD),
    paint(formatFields(entry), DIM),
  ];
  return `${words.filter((word) => word !== '').join(' ')}\n${formatError(err)}`;
}

function parseEntry(line: string): Record<string, unknown> | undefined {
  try {
    const entry: unknown = JSON.parse(line);
    return typeof entry === 'object' && entry !== null && !Array.isArray(entry) ? (entry as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** `14:03:09.250` on this host's clock. */
function localTime(text: string): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text;
  const two = (number: number, width = 2): string => String(number).padStart(width, '0');
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${two(time.getMilliseconds(), 3)}`;
}

function formatFields(entry: Record<string, unknown>): string {
  return Object.entries(entry)
    .filter(([name, value]) => !UNTOLD.has(name) && value !== undefined && value !== null)
    .map(([name, value]) => `${toPlain(name)}=${formatValue(name, value)}`)
    .join(' ');
}

function formatValue(name: string, value: unknown): string {
  if (name === 'status' && typeof value === 'number') return `${value} ${STATUS_CODES[value] ?? ''}`.trimEnd();
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return toPlain(/[\s"=]/.test(text) && typeof value === 'string' ? JSON.stringify(text) : text);
}

/** Its stack, indented: no line of it can be taken for one of the log. */
function formatError(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const { stack, message } = error as { stack?: unknown; message?: unknown };
  const text = typeof stack === 'string' ? stack : typeof message === 'string' ? message : JSON.stringify(error);
  return text
    .split('\n')
    .map((part) => `    ${toPlain(part)}\n`)
    .join('');
}
