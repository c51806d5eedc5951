import {
  createLogger,
  findPortProblem,
  handleStopSignals,
  PRODUCT_VERSION,
  readConfig,
  startTelemetry,
  throwProblems,
  watchDescriptors,
  watchEventLoop,
  type Environment,
} from '@python3-cluster/shared';
import { createApi } from './create-api';

export interface RunApiOptions {
  /** Its end means that the parent process is gone. */
  readonly aliveStream?: NodeJS.ReadableStream;
  readonly onReady?: (address: { readonly port: number }) => void;
}

/**
 * Runs one API replica until a stop signal ends the process. Resolves when it listens.
 * @throws ClusterError CONFIG_INVALID, REDIS_REQUIRED, SIGNING_KEY_REQUIRED, PORT_IN_USE, SIGNING_KEY_MISMATCH, REDIS_UNSUITABLE
 */
export async function runApi(environment: Environment, options: RunApiOptions = {}): Promise<void> {
  const { config, warnings, problems, isValid } = readConfig(environment, ['redisUrl', 'signingKey']);
  const portProblem = isValid('port') && isValid('host') ? await findPortProblem('PORT', config.host, config.port) : undefined;
  throwProblems(portProblem === undefined ? problems : [...problems, portProblem]);
  const logger = createLogger('api', config.logLevel, config);
  for (const warning of warnings) logger.warn(warning);
  if (config.auth === 'keys' && config.adminApiKey === '' && config.developerApiKey === '')
    logger.warn('no key is configured: nobody can run anything');
  const telemetry = await startTelemetry('api', config, logger);
  const api = await createApi({ config, logger, tracing: telemetry.tracing });
  handleStopSignals({
    stop: () => api.stop().finally(telemetry.stop),
    drainMs: config.drainSeconds * 1_000,
    onSignal: (signal) => logger.info({ signal }, 'stopping'),
    aliveStream: options.aliveStream,
  });
  try {
    await api.start();
  } catch (error) {
    await api.stop();
    throw error;
  }
  watchEventLoop(logger);
  watchDescriptors(logger);
  const port = api.address?.port ?? config.port;
  logger.info({ host: config.host, port, version: PRODUCT_VERSION }, 'listening');
  options.onReady?.({ port });
}
