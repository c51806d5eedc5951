import type { CheckResult } from './check';
import { toPlainText } from '../top/plain-text';

const SIGNS = { ok: ['ok  ', '32'], warn: ['warn', '33'], fail: ['FAIL', '1;31'] } as const;

/** A line for each check, and below what is not well a line that begins with "do:". */
export function renderChecks(results: readonly CheckResult[], colours: boolean): string[] {
  const paint = (text: string, code: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
  const width = Math.max(...results.map((result) => result.name.length));
  const indent = ' '.repeat(4 + 2 + width + 2);
  return results.flatMap(({ name, verdict, text, remedy }) => {
    const [sign, code] = SIGNS[verdict];
    const lines = text.split('\n').map(toPlainText);
    const first = `${paint(sign, code)}  ${name.padEnd(width)}  ${lines.join(`\n${indent}`)}`;
    return remedy === undefined ? [first] : [first, `${indent}${paint('do:', '1')} ${toPlainText(remedy)}`];
  });
}
