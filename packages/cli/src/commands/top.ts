import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ReadStream } from 'node:tty';
import { ClusterError, EXIT_CODES } from '@python3-cluster/shared';
import { dataDirectoryOf } from '../data-directory';
import { loadEnvironment } from '../load-environment';
import { readCluster } from '../top/read-cluster';
import { renderTop } from '../top/render-top';
import { formatLine } from '../top/styled-line';
import { watchCluster } from '../top/watch-cluster';

export interface TopOptions {
  readonly url: string;
  readonly keyFile?: string;
  readonly once?: boolean;
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];
/** For scripts: nothing is cut that a reader may look for. */
const ONCE_COLUMNS = 200;

export async function runTopCommand({ url, keyFile, once }: TopOptions): Promise<void> {
  const environment = loadEnvironment();
  const key = readKey(keyFile ?? join(dataDirectoryOf(environment), 'secrets', 'admin.key'));
  const { protocol, hostname } = new URL(url);
  const warning =
    protocol === 'http:' && !LOOPBACK.includes(hostname) ? { warning: 'the key crosses the network in clear text: use https' } : {};
  const { stdin, stdout } = process;
  const colours = stdout.isTTY && !environment['NO_COLOR'];
  if (once) return printOnce({ url, key }, colours, warning);
  if (!stdout.isTTY || !(stdin instanceof ReadStream))
    throw new ClusterError('CONFIG_INVALID', 'top needs a terminal; `top --once` prints the picture once.');
  const signals = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => signals.abort());
  await watchCluster({ api: { url, key }, input: stdin, output: stdout, colours, ...warning, signal: signals.signal });
}

async function printOnce(api: { url: string; key: string }, colours: boolean, warning: { warning?: string }): Promise<void> {
  const reading = await readCluster(api);
  const size = { columns: process.stdout.columns ?? ONCE_COLUMNS, rows: Number.MAX_SAFE_INTEGER };
  if (reading.health === undefined) {
    for (const problem of reading.problems) console.error(formatLine([{ text: `python3-cluster: ${problem}` }], size.columns, false));
    process.exitCode = EXIT_CODES.cannotStart;
    return;
  }
  const lines = renderTop({ url: api.url, now: Date.now(), reading, perSecond: undefined, ...warning }, size);
  for (const line of lines) console.log(formatLine(line, size.columns, colours).trimEnd());
  if (reading.problems.length > 0) process.exitCode = EXIT_CODES.cannotStart;
}

function readKey(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new ClusterError('CONFIG_INVALID', `The API key cannot be read from ${path} (${code}); name its file by --key-file.`);
  }
}
