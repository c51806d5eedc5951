import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON, as a caller without types reads it
  readonly json: any;
}

/** What it answers; undefined: the connection is closed without an answer. */
export type Answerer = (received: Received, count: number) => { readonly status: number; readonly location?: string } | undefined;

/** Somebody's HTTP server that alerts are sent to. */
export class WebhookReceiver {
  readonly received: Received[] = [];
  answer: Answerer = () => ({ status: 204 });
  private readonly server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const received = { path: request.url ?? '', headers: request.headers, body, json: JSON.parse(body.toString() || 'null') as unknown };
      this.received.push(received);
      const answer = this.answer(received, this.received.length);
      if (answer === undefined) request.socket.destroy();
      else response.writeHead(answer.status, answer.location === undefined ? {} : { location: answer.location }).end();
    });
  });

  static async start(): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    await new Promise<void>((resolve) => receiver.server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
