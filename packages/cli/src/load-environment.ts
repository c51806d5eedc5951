import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { warnOfNames, type Environment } from '@python3-cluster/shared';

/**
 * The process's environment over what `.env` in the working directory says. OpenTelemetry's SDK reads its settings from the
 * process's own environment, so they are put there.
 */
export function loadEnvironment(): Environment {
  const path = join(process.cwd(), '.env');
  const fromFile = existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {};
  for (const warning of warnOfNames(Object.keys(fromFile))) console.error(`WARNING: ${path}: ${warning}`);
  const environment = { ...fromFile, ...process.env };
  for (const [name, value] of Object.entries(environment)) if (name.startsWith('OTEL_')) process.env[name] = value;
  return environment;
}
