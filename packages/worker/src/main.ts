import {
  ClusterError,
  createLogger,
  handleStopSignals,
  loadConfig,
  startTelemetry,
  watchDescriptors,
  watchEventLoop,
  type Environment,
} from '@python3-cluster/shared';
import { createWorkerNode } from './create-worker';
import type { PythonCommand } from './sandbox/python-command';

export interface RunWorkerOptions {
  /** Finds the interpreter; the command line knows how, a worker node does not. */
  readonly findPython: (explicitPath: string) => Promise<PythonCommand>;
  /** Finds bwrap(1), or says why there is none. */
  readonly findBubblewrap: () => Promise<string | { readonly missing: string }>;
  /** Its end means that the parent process is gone. */
  readonly aliveStream?: NodeJS.ReadableStream;
  readonly onReady?: (node: { readonly id: string; readonly level: string; readonly pythonVersion: string }) => void;
}

/** Runs a worker node until a signal. @throws ClusterError where it cannot start */
export async function runWorker(environment: Environment, options: RunWorkerOptions): Promise<void> {
  const { config, warnings, secretFiles } = loadConfig(environment);
  if (config.redisUrl === '') throw new ClusterError('REDIS_REQUIRED', 'REDIS_URL is required: the Redis that the API uses.');
  if (config.signingKey === '')
    throw new ClusterError('SIGNING_KEY_REQUIRED', 'PYTHON3_SIGNING_KEY is required: the key that the API signs with.');
  const logger = createLogger('worker', config.logLevel, config);
  for (const warning of warnings) logger.warn(warning);
  const python = await options.findPython(config.pythonPath);
  const bubblewrap = await options.findBubblewrap();
  const telemetry = await startTelemetry('worker', config, logger);
  const node = await createWorkerNode({ config, secretFiles, python, bubblewrap, logger, tracing: telemetry.tracing });
  watchEventLoop(logger);
  watchDescriptors(logger);
  handleStopSignals({
    stop: () => node.stop().finally(telemetry.stop),
    drainMs: config.drainSeconds * 1_000,
    onSignal: (signal) => logger.info({ signal }, 'stopping'),
    aliveStream: options.aliveStream,
  });
  options.onReady?.({ id: node.id, level: node.level, pythonVersion: node.python.pythonVersion });
}
