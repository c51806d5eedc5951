import { readFileSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { ClusterError, EXIT_CODES, type Environment } from '@python3-cluster/shared';
import { findCluster } from '../cluster/find-cluster';
import { dataDirectoryOf } from '../data-directory';
import { loadEnvironment } from '../load-environment';
import { readCluster } from '../top/read-cluster';
import { renderTop } from '../top/render-top';
import type { ApiAddress } from '../top/request-json';
import { formatLine } from '../top/styled-line';
import { watchCluster } from '../top/watch-cluster';

export interface TopOptions {
  /** undefined: the cluster of this clone. */
  readonly url?: string;
  readonly keyFile?: string;
  readonly once?: boolean;
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];
/** For scripts: nothing is cut that a reader may look for. */
const ONCE_COLUMNS = 200;

export async function runTopCommand({ once, ...given }: TopOptions): Promise<void> {
  const environment = loadEnvironment();
  const { url, key } = await findApi(environment, given);
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

/**
 * A key that was named goes where it was told to. One that was found goes only to the cluster that it belongs to, which has
 * proved to be it.
 */
async function findApi(environment: Environment, { url, keyFile }: TopOptions): Promise<ApiAddress> {
  if (url !== undefined && keyFile !== undefined) return { url, key: readKey(keyFile) };
  const { address, config } = await findCluster({ environment, dataDirectory: dataDirectoryOf(environment), url });
  const key = keyFile === undefined ? config.adminApiKey || config.developerApiKey : readKey(keyFile);
  if (key === '') throw new ClusterError('CONFIG_INVALID', 'No API key was found in .data, .env or the environment; name its file by --key-file.');
  return { url: address, key };
} // prettier-ignore

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
