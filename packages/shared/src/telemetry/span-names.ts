/**
 * Every name that stands in a trace: spans, and attributes by the semantic conventions (https://opentelemetry.io/docs/specs/semconv/:
 * http, messaging, process, error) or ours (`python3.*`). Nothing that a caller wrote or a program made is ever a value of
 * ours: no code, variables, keys, output, messages of errors. What a program puts into its own spans is its own doing.
 */
export const SPAN_NAMES = {
  /** API: `<method> <route>`. */
  request: (method: string, route: string | undefined): string => (route === undefined ? method : `${method} ${route}`),
  /** API: from the decision to queue the job to Redis' confirmation. Its context travels with the job. */
  enqueue: (lane: string): string => `send ${lane}`,
  /** Worker node: from the moment the job could have been fetched to the moment it was. */
  queueWait: 'wait in queue',
  /** Worker node: one attempt, from fetched to written. */
  consume: (lane: string): string => `process ${lane}`,
  /** Worker node: the end of a job that nobody runs (any more). */
  settle: (lane: string): string => `settle ${lane}`,
  verify: 'verify',
  slot: 'wait for slot',
  child: 'take child',
  startMarker: 'mark start',
  run: 'run',
  /** In the child. */
  compile: 'compile',
  execute: 'execute',
  outcome: 'write outcome',
} as const;

export const ATTRIBUTES = {
  method: 'http.request.method',
  route: 'http.route',
  statusCode: 'http.response.status_code',
  messagingSystem: 'messaging.system',
  operation: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  destination: 'messaging.destination.name',
  messageId: 'messaging.message.id',
  bodySize: 'messaging.message.body.size',
  errorType: 'error.type',
  pid: 'process.pid',
  exitCode: 'process.exit.code',
  jobId: 'python3.job.id',
  jobKind: 'python3.job.kind',
  jobMode: 'python3.job.mode',
  status: 'python3.outcome.status',
  attempt: 'python3.attempt.number',
  workerId: 'python3.worker.id',
  isolation: 'python3.isolation',
  killReason: 'python3.run.kill_reason',
  signal: 'python3.run.signal',
  cpuMs: 'python3.run.cpu_ms',
  maxMemoryBytes: 'python3.run.max_memory_bytes',
  /** Spans that the program opened beyond the bounds. */
  spansDropped: 'python3.spans.dropped',
  /** Why what the child said of its spans is not believed. */
  spansRefused: 'python3.spans.refused',
  /** `program`: the span was opened by the job's code. */
  origin: 'python3.span.origin',
  /** On every span of a trace that is exported although it was not sampled. */
  unsampled: 'python3.trace.unsampled',
} as const;

/** Attribute names that only we may set. */
export const OWN_ATTRIBUTE_PREFIX = 'python3.';

export const MESSAGING_SYSTEM = 'bullmq';
export const SERVICE_NAMES = { api: 'python3-cluster-api', worker: 'python3-cluster-worker' } as const;
export const SCOPE_NAME = 'python3-cluster';
