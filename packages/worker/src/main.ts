import {
  createLogger,
  handleStopSignals,
  readConfig,
  startTelemetry,
  watchDescriptors,
  watchEventLoop,
  type Environment,
} from '@python3-cluster/shared';
import { assertCanStart } from './assert-can-start';
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
  const { config, warnings, secretFiles, ...read } = readConfig(environment, ['redisUrl', 'signingKey']);
  const python = await assertCanStart({ config, ...read }, options.findPython);
  const logger = createLogger('worker', config.logLevel, config);
  for (const warning of warnings) logger.warn(warning);
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
