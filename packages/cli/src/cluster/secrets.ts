import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterError } from '@python3-cluster/shared';

export interface SecretFiles {
  readonly adminKey: string;
  readonly developerKey: string;
  readonly signingKey: string;
  readonly redisPassword: string;
}

/** Paths of the secrets, which are made once and readable by their owner only. @throws ClusterError CONFIG_INVALID */
export function ensureSecrets(directory: string): SecretFiles {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  const ensure = (name: string): string => {
    const path = join(directory, name);
    const text = readIfThere(path);
    if (text === undefined) writeWhole(path, `${randomBytes(32).toString('hex')}\n`);
    else if (text.trim() === '') throw new ClusterError('CONFIG_INVALID', `${path} is empty. ${WHAT_TO_DO[name] ?? 'Remove it; the next start makes a new one.'}`);
    return path;
  }; // prettier-ignore
  return {
    adminKey: ensure('admin.key'),
    developerKey: ensure('developer.key'),
    signingKey: ensure('signing.key'),
    redisPassword: ensure('redis.password'),
  };
}

const WHAT_TO_DO: Readonly<Record<string, string>> = {
  'signing.key':
    'Put the key back from a copy. If there is none, remove the file: the next start makes a new one, and believes nothing that was signed before.',
};

export const readSecret = (path: string): string => readFileSync(path, 'utf8').trim();

/** All of it, or what stood there before: a disk that is full must leave no empty file behind. */
export function writeWhole(path: string, text: string): void {
  const draft = `${path}.${process.pid}.new`;
  try {
    const file = openSync(draft, 'w', 0o600);
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
