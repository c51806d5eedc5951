import { createServer } from 'node:net';
import { ClusterError, isWithin, type PortRange } from '@python3-cluster/shared';

/** Ports after the wished one that are tried. */
const MOST_TRIED = 200;

/**
 * The first of the wished ports, in their order, or else of those that follow the last of them, where nobody listens; never one within the range.
 * @throws ClusterError PORT_IN_USE
 */
export async function chooseFreePort(host: string, wished: readonly number[], avoided: PortRange): Promise<number> {
  const from = wished.at(-1) ?? 1_024;
  const following = Array.from({ length: MOST_TRIED }, (_, index) => from + 1 + index);
  for (const port of [...wished, ...following]) {
    if (port > 65_535 || isWithin(port, avoided)) continue;
    if (await canListen(host, port)) return port;
  }
  throw new ClusterError('PORT_IN_USE', `No port from ${from} to ${from + MOST_TRIED} is free outside ${avoided.first}-${avoided.last}.`);
}

/** @throws ClusterError PORT_IN_USE */
export async function assertPortFree(host: string, port: number): Promise<void> {
  if (port !== 0 && !(await canListen(host, port))) {
    throw new ClusterError('PORT_IN_USE', `Port ${port} on ${host} is in use; stop what listens there, or set PORT to another.`);
  }
}

function canListen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
