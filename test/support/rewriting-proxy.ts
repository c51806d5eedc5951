import { connect, createServer, type AddressInfo, type Server } from 'node:net';

/** Passes a server's answers on with some bytes changed for others of the same number: how another server would answer. */
export class RewritingProxy {
  private constructor(private readonly server: Server) {}

  static async start(targetPort: number, from: string, to: string): Promise<RewritingProxy> {
    if (from.length !== to.length) throw new Error('the lengths of answers would be wrong');
    const server = createServer((near) => {
      const far = connect(targetPort, '127.0.0.1');
      near.pipe(far);
      far.on('data', (chunk: Buffer) => near.write(Buffer.from(chunk.toString('latin1').replaceAll(from, to), 'latin1')));
      for (const [one, other] of [[near, far], [far, near]] as const) {
        one.on('error', () => undefined);
        one.on('close', () => other.destroy());
      } // prettier-ignore
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new RewritingProxy(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}
