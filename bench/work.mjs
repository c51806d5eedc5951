import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { baseEnvironment } from './processes.mjs';
import { CannotTakePart, DEBIAN_PYTHON } from './requirements.mjs';
import { root } from './root.mjs';

export const WORK_MS = 100;

/** Keeps a core busy, and gives an answer that can be told from all others. */
export const WORK_CODE = 'x = 0\nfor i in range(n):\n    x += i & 3\nresult = a + b';

let turns;

/** Turns of the loop in `WORK_CODE` that take `WORK_MS` in a plain Python process here; measured once. */
export function calibrateWork() {
  if (!existsSync(DEBIAN_PYTHON)) throw new CannotTakePart(`${DEBIAN_PYTHON} is not there.`);
  turns ??= Number(
    execFileSync(DEBIAN_PYTHON, [join(root, 'bench/peers/plain_python.py'), '--calibrate'], {
      env: { ...baseEnvironment, ...workEnvironment(), BENCH_WORK_MS: String(WORK_MS), PYTHONDONTWRITEBYTECODE: '1' },
      encoding: 'utf8',
    }),
  );
  return turns;
}

export const workEnvironment = () => ({ BENCH_CODE: WORK_CODE, ...(turns === undefined ? {} : { BENCH_TURNS: String(turns) }) });
