import { execFileSync } from 'node:child_process';
import { it } from '@jest/globals';

/** `it`, or a skipped `it` whose title says why; skipped ones are counted in the totals. */
export function itIf(condition: boolean, reason: string): typeof it | typeof it.skip {
  if (condition) return it;
  const titled = (name: string): string => `${name} (skipped: ${reason})`;
  const skip = (name: string, ...rest: [never]): void => it.skip(titled(name), ...rest);
  const each =
    (table: [never]) =>
    (name: string, ...rest: [never]) =>
      it.skip.each(table)(titled(name), ...rest);
  return Object.assign(skip, { each }) as unknown as typeof it.skip;
}

export interface PythonUnderTest {
  readonly file: string;
  readonly env: Record<string, string>;
}

/** The interpreter that the slots of the tests use. */
export const pythonUnderTest = (): PythonUnderTest =>
  JSON.parse(process.env['PYTHON3_TEST_PYTHON'] ?? '{"file":"/usr/bin/python3","env":{}}') as PythonUnderTest;

export function canImport(...modules: string[]): boolean {
  const { file, env } = pythonUnderTest();
  try {
    execFileSync(file, ['-I', '-c', `import ${modules.join(', ')}`], { env: { ...process.env, ...env }, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
