import { createServer } from 'node:net';
import { ClusterError } from '../errors/cluster-error';
import type { ErrorCode } from '../errors/error-table';

/** Something that keeps a process from starting, and that somebody must mend in its settings. */
export interface StartProblem {
  readonly code: ErrorCode;
  readonly text: string;
}

/** All of them in one message: whoever mends one should not meet the next at the next start. @throws ClusterError */
export function throwProblems(problems: readonly StartProblem[]): void {
  const [first] = problems;
  if (first === undefined) return;
  if (problems.length === 1 && first.code !== 'CONFIG_INVALID') throw new ClusterError(first.code, first.text);
  const lines = problems.map(({ code, text }) => `  - ${text.replaceAll('\n', '\n    ')}${code === 'CONFIG_INVALID' ? '' : ` (${code})`}`);
  throw new ClusterError('CONFIG_INVALID', `Bad configuration:\n${lines.join('\n')}`);
}

/**
 * Whether a port can be listened on. An address that is not there yet is no problem of the settings: an interface may come up
 * later, so that is left to whoever listens.
 */
export function findPortProblem(setting: string, host: string, port: number): Promise<StartProblem | undefined> {
  if (port === 0) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', ({ code }: NodeJS.ErrnoException) => {
      const inUse = `Port ${port} on ${host} is in use; stop what listens there, or set ${setting} to another.`;
      if (code === 'EADDRINUSE') resolve({ code: 'PORT_IN_USE', text: inUse });
      else if (code === 'EACCES') resolve({ code: 'CONFIG_INVALID', text: `${setting} ${port} is one this user may not listen on` });
      else resolve(undefined);
    });
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}
