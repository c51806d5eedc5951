import { createServer } from 'node:net';
import { ClusterError } from '@python3-cluster/shared';

/** The wished port if nobody listens there, else one the system picks. */
export async function chooseFreePort(host: string, wished: number): Promise<number> {
  return (await tryListen(host, wished)) ?? (await tryListen(host, 0)) ?? 0;
}

/** @throws ClusterError PORT_IN_USE */
export async function assertPortFree(host: string, port: number): Promise<void> {
  if (port !== 0 && (await tryListen(host, port)) === undefined) {
    throw new ClusterError('PORT_IN_USE', `Port ${port} on ${host} is in use; stop what listens there, or set PORT to another.`);
  }
}

function tryListen(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port));
    });
  });
}
