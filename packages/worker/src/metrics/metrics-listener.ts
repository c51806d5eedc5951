import { hash, randomUUID, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import {
  ClusterError, createSoundServer, errorDefinition, findUnsoundness, type Config, type Logger, type ProcessMetrics,
} from '@python3-cluster/shared'; // prettier-ignore

export interface MetricsListenerOptions {
  readonly config: Pick<Config, 'workerMetricsHost' | 'workerMetricsPort' | 'metricsToken'>;
  readonly metrics: ProcessMetrics;
  readonly logger: Logger;
}

/** Whoever connects gets this long to ask. */
const REQUEST_TIMEOUT_MS = 5_000;
const TIMEOUT_CHECK_MS = 1_000;
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
    const timeouts = {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    };
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      this.answer(request, response).catch((error: unknown) => {
        this.options.logger.error({ err: error }, 'metrics could not be told');
        refuse(response, new ClusterError('INTERNAL'));
      });
    };
    this.server = createSoundServer(timeouts, handle, {
      headers: HEADERS,
      render: (error, requestId) => ({ type: JSON_TYPE, text: renderError(error, requestId) }),
    });
    this.server.maxConnections = MOST_CONNECTIONS;
    // Of a reader that takes nothing; longer than the others, which have an answer.
    this.server.timeout = 3 * REQUEST_TIMEOUT_MS;
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
    const unsound = findUnsoundness(request);
    if (unsound !== undefined) return refuse(response, unsound, { Connection: 'close' });
    if (request.method !== 'GET') return refuse(response, new ClusterError('METHOD_NOT_ALLOWED'), { Allow: 'GET' });
    if (request.url === '/health/live') return send(response, 200, TEXT_TYPE, 'live\n');
    if (request.url !== '/metrics') return refuse(response, new ClusterError('ROUTE_NOT_FOUND'));
    if (!this.isAllowed(request)) {
      const isMissing = request.headers.authorization === undefined;
      const error = isMissing
        ? new ClusterError('AUTH_REQUIRED', 'Send the token: Authorization: Bearer <token>.')
        : new ClusterError('AUTH_KEY_INVALID');
      return refuse(response, error, { 'WWW-Authenticate': 'Bearer' });
    }
    send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await this.options.metrics.toPrometheus());
  }

  private isAllowed({ headers }: IncomingMessage): boolean {
    const { metricsToken } = this.options.config;
    if (metricsToken === '') return true;
    const presented = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1] ?? '';
    return timingSafeEqual(hash('sha256', presented, 'buffer'), hash('sha256', metricsToken, 'buffer'));
  }
}

const TEXT_TYPE = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

/** Nothing here is a page, so a browser may do nothing with it. */
const HEADERS: readonly (readonly [name: string, value: string])[] = [
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Permissions-Policy', 'geolocation=(), microphone=(), camera=(), payment=()'],
  ['Referrer-Policy', 'no-referrer'],
  ['Strict-Transport-Security', 'max-age=31536000; includeSubDomains'],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['X-XSS-Protection', '0'],
];

const renderError = ({ code, message }: ClusterError, requestId: string): string => JSON.stringify({ error: { code, message, requestId } });

function refuse(response: ServerResponse, error: ClusterError, headers: Record<string, string> = {}): void {
  const requestId = randomUUID();
  response.setHeader('X-Request-Id', requestId);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  send(response, errorDefinition(error.code).status ?? 500, JSON_TYPE, renderError(error, requestId));
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  for (const [name, value] of HEADERS) response.setHeader(name, value);
  response.setHeader('Cache-Control', 'no-store');
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
  response.end(response.req.method === 'HEAD' ? undefined : text);
}
