import type { RequestListener, Server } from 'node:http';
import { ClusterError, createSoundServer, type Config, type Logger } from '@python3-cluster/shared';
import { modernErrorBody } from './responses/error-response';
import { toJsonBuffer } from './responses/raw-json';
import { SECURITY_HEADERS } from './responses/security-headers';
import { StalledAnswers } from './responses/stalled-answers';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface HttpListenerOptions {
  readonly config: Pick<Config, 'host' | 'port' | 'answerStallSeconds'>;
  readonly logger: Logger;
}

/** A whole request must have come within this; answers may take longer. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 15_000;

/** Node looks this often for connections past those two; its own 30 s would double them. */
const TIMEOUT_CHECK_MS = 5_000;

/** Above the 60 s after which common proxies reuse a connection no more, so that they close first. */
const KEEP_ALIVE_MS = 65_000;

/**
 * The HTTP server. It deliberately has no 'upgrade' listener: Java's client offers h2c with every request, and Node then
 * answers as if it had not.
 */
export class HttpListener {
  private readonly server: Server;
  private readonly options: HttpListenerOptions;
  private readonly stalled: StalledAnswers;

  constructor(listener: RequestListener, options: HttpListenerOptions) {
    this.options = options;
    const timeouts = {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    };
    this.server = createSoundServer(timeouts, listener, {
      headers: SECURITY_HEADERS,
      render: (error, requestId) => ({
        type: 'application/json; charset=utf-8',
        text: `${toJsonBuffer(modernErrorBody(error, { requestId, traceId: undefined })).toString('utf8')}\n`,
      }),
      onRefused: ({ code, message }, requestId) =>
        options.logger.info({ errorCode: code, reason: message, requestId }, 'a request could not be read'),
    });
    this.stalled = new StalledAnswers(this.server, options.config.answerStallSeconds * 1_000);
  }

  get address(): Address | undefined {
    const address = this.server.address();
    return address === null || typeof address === 'string' ? undefined : { host: address.address, port: address.port };
  }

  /** @throws ClusterError PORT_IN_USE */
  async start(): Promise<void> {
    const { host, port } = this.options.config;
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) => {
        reject(
          error.code === 'EADDRINUSE' ? new ClusterError('PORT_IN_USE', `Port ${port} on ${host} is in use.`, { cause: error }) : error,
        );
      });
      this.server.listen(port, host, resolve);
    });
    this.stalled.start();
  }

  /** Ends idle connections, too. */
  stopAccepting(): void {
    this.server.close();
  }

  /** Cuts what is left. */
  closeConnections(): void {
    this.stalled.stop();
    this.server.closeAllConnections();
  }
}
