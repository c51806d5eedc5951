import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SecretFiles {
  readonly adminKey: string;
  readonly developerKey: string;
  readonly signingKey: string;
  readonly redisPassword: string;
}

/** Paths of the secrets, which are made once and readable by their owner only. */
export function ensureSecrets(directory: string): SecretFiles {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  const ensure = (name: string): string => {
    const path = join(directory, name);
    if (!existsSync(path)) writeFileSync(path, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
    return path;
  };
  return {
    adminKey: ensure('admin.key'),
    developerKey: ensure('developer.key'),
    signingKey: ensure('signing.key'),
    redisPassword: ensure('redis.password'),
  };
}

export const readSecret = (path: string): string => readFileSync(path, 'utf8').trim();
