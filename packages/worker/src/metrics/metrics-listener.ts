import { hash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ClusterError, type Config, type Logger, type ProcessMetrics } from '@python3-cluster/shared';

export interface MetricsListenerOptions {
  readonly config: Pick<Config, 'workerMetricsHost' | 'workerMetricsPort' | 'metricsToken'>;
  readonly metrics: ProcessMetrics;
  readonly logger: Logger;
}

/** Whoever connects gets this long to ask. */
const REQUEST_TIMEOUT_MS = 5_000;
const MOST_CONNECTIONS = 64;

/**
 * A worker node's small HTTP port: `GET /metrics` for Prometheus, `GET /health/live` for an orchestrator. It takes no jobs
 * and knows nothing of them but counts, and answers while every slot is held.
 */
export class MetricsListener {
  private readonly options: MetricsListenerOptions;
  private readonly server: Server;

  constructor(options: MetricsListenerOptions) {
    this.options = options;
    this.server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
      this.answer(request, response).catch((error: unknown) => {
        this.options.logger.error({ err: error }, 'metrics could not be told');
        send(response, 500, 'internal error\n');
      });
    });
    this.server.maxConnections = MOST_CONNECTIONS;
  }

  /** Does nothing where no port is set. @throws ClusterError PORT_IN_USE */
  async start(): Promise<void> {
    const { workerMetricsHost: host, workerMetricsPort: port } = this.options.config;
    if (port === 0) return;
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) =>
        reject(error.code === 'EADDRINUSE' ? new ClusterError('PORT_IN_USE', `Port ${port} on ${host} is in use.`, { cause: error }) : error),
      );
      this.server.listen(port, host, resolve);
    });
    this.options.logger.info({ host, port }, 'metrics are told');
  } // prettier-ignore

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeAllConnections();
    await closed;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET') return send(response, 405, 'method not allowed\n', { allow: 'GET' });
    if (request.url === '/health/live') return send(response, 200, 'live\n');
    if (request.url !== '/metrics') return send(response, 404, 'not found\n');
    if (!this.isAllowed(request)) return send(response, 401, 'a token is needed\n', { 'www-authenticate': 'Bearer' });
    send(response, 200, await this.options.metrics.toPrometheus(), { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  }

  private isAllowed({ headers }: IncomingMessage): boolean {
    const { metricsToken } = this.options.config;
    if (metricsToken === '') return true;
    const presented = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1] ?? '';
    return timingSafeEqual(hash('sha256', presented, 'buffer'), hash('sha256', metricsToken, 'buffer'));
  }
}

function send(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff', ...headers }).end(text);
}
