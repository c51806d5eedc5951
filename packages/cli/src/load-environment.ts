import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import type { Environment } from '@python3-cluster/shared';

/** The process's environment over what `.env` in the working directory says. */
export function loadEnvironment(): Environment {
  const path = join(process.cwd(), '.env');
  const fromFile = existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {};
  return { ...fromFile, ...process.env };
}
