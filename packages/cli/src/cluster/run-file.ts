import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeWhole } from './secrets';

/** What a running `start` says of its cluster, for the other commands of the clone: where its API listens. */
export interface RunFile {
  readonly address: string;
}

const pathOf = (dataDirectory: string): string => join(dataDirectory, 'api.json');

/** @returns what removes it again */
export function writeRunFile(dataDirectory: string, { address }: RunFile): () => void {
  const path = pathOf(dataDirectory);
  writeWhole(path, `${JSON.stringify({ address })}\n`);
  return () => rmSync(path, { force: true });
}

/** One that a killed `start` left is read, too: whoever follows it asks for a proof. */
export function readRunFile(dataDirectory: string): RunFile | undefined {
  try {
    const { address } = JSON.parse(readFileSync(pathOf(dataDirectory), 'utf8')) as Partial<RunFile>;
    return typeof address === 'string' && URL.canParse(address) ? { address } : undefined;
  } catch {
    return undefined;
  }
}
