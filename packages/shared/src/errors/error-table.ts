export interface ErrorDefinition {
  /** HTTP status it is answered with; null where it never reaches a caller over HTTP. */
  readonly status: number | null;
  /** One sentence; a thrower may give a more exact one. */
  readonly message: string;
  readonly retryAfterSeconds?: number;
  /** What a command ends with that cannot start for it: 2 where a setting of this host must be changed first, else 1. */
  readonly exitCode?: 1 | 2;
  /** For `docs/errors.md`: when it happens and what to do. */
  readonly meaning: string;
}

/** Every code the product can answer or exit with. `docs/errors.md` is generated from it; codes are never renamed. */
export const errorTable = {
  REQUEST_INVALID_JSON: { status: 400, message: 'The request body is not valid JSON.', meaning: 'The body could not be read as JSON (RFC 8259, UTF-8). The message names the place. Mend the body.' },
  REQUEST_INVALID: { status: 400, message: 'The request is not valid.', meaning: 'A field is missing, has the wrong type or a value out of range. The message names it.' },
  REQUEST_UNKNOWN_FIELD: { status: 400, message: 'The request has a field this API does not know.', meaning: 'A field or query parameter is misspelt or belongs elsewhere. Nothing is ever ignored silently.' },
  REQUEST_FIELD_NOT_SUPPORTED: { status: 400, message: 'This version does not support a field of the request.', meaning: 'The field is part of the API but not built in this version; leave it out.' },
  REQUEST_TOO_LARGE: { status: 413, message: 'The request body is too large.', meaning: 'The body is over `PYTHON3_MAX_BODY_BYTES`. Send less, or have the operator raise it.' },
  REQUEST_TOO_DEEP: { status: 400, message: 'The request body is nested too deeply.', meaning: 'JSON arrays and objects may be nested 200 deep.' },
  REQUEST_MEDIA_TYPE: { status: 415, message: 'Send the body as application/json.', meaning: 'The body has another content type or an unsupported content encoding.' },
  REQUEST_MALFORMED: { status: 400, message: 'The request is not HTTP as it should be.', meaning: 'The request cannot be read, or could be read in two ways: a header field that must be single is given twice or written with an underscore, `Host` is missing, there are fields after the body, and the like. The message says what. Nothing was accepted; the connection is closed.' },
  REQUEST_HEADERS_TOO_LARGE: { status: 431, message: 'The header of the request is too large.', meaning: 'A request may have 128 header fields, and 16,384 bytes of request line and fields together.' },
  REQUEST_TRANSFER_ENCODING: { status: 501, message: 'Transfer-Encoding can only be chunked.', meaning: 'The body has another transfer coding, alone or besides. Send it with `Content-Length`, or `chunked` and nothing else.' },
  REQUEST_EXPECTATION: { status: 417, message: 'The only expectation this server meets is 100-continue.', meaning: 'The header `Expect` has another value; leave it out.' },
  REQUEST_TIMEOUT: { status: 408, message: 'The request did not come in time.', meaning: 'The header of a request must have come within 15 s, and the whole of it within 30 s. Nothing was accepted.' },
  REQUEST_TOO_MANY_NAMES: { status: 400, message: 'An object of the request has too many names.', meaning: 'A body may have 64 fields, `variables` and `kwargs` 10,000 names each, and `labels` 16. Put many values into one list or object.' },
  REQUEST_PREFETCH: { status: 403, message: 'This page has an effect, so it is not answered beforehand.', meaning: 'A browser fetched a link before anybody followed it (`Sec-Purpose: prefetch`). Nothing was done; follow the link.' },
  BODIES_FULL: { status: 503, message: 'This replica is reading as many request bodies as it may.', retryAfterSeconds: 1, meaning: 'Bodies under way have `PYTHON3_MAX_INFLIGHT_BODY_MB` together. Nothing was accepted; send it again after `Retry-After`, or add API replicas.' },
  CODE_EMPTY: { status: 400, message: 'Code cannot be empty', meaning: '`code` or `expression` is missing, empty or only white space.' },
  CODE_TOO_LARGE: { status: 413, message: 'Code size exceeds maximum limit of 1048576 bytes (1MB).', meaning: '`code` or `expression` has more than 1,048,576 UTF-8 bytes. Pass data as `variables`.' },
  LIMIT_ABOVE_CEILING: { status: 400, message: 'A limit of the job is above what the operator allows.', meaning: '`timeoutMs`, `memoryMb`, `cpuSeconds` or `delayMs` is over its ceiling (`PYTHON3_*_CEILING_*`). The message names the ceiling.' },
  ROUTE_NOT_FOUND: { status: 404, message: 'There is no such route.', meaning: 'Path unknown. `GET /` shows where to begin.' },
  METHOD_NOT_ALLOWED: { status: 405, message: 'This route does not take that method.', meaning: 'The header `Allow` names the methods it takes.' },
  JOB_NOT_FOUND: { status: 404, message: 'There is no job with that id.', meaning: 'Never existed, belongs to another owner, or is so long gone that nobody remembers it. One whose outcome is gone since lately is `RESULT_EXPIRED` or `RESULT_REMOVED`.' },
  LAST_EVENT_ID_INVALID: { status: 400, message: 'Last-Event-ID is not an id this API issued.', meaning: 'Send the `id` of the last event that was taken, unchanged, or no `Last-Event-ID` to begin anew.' },
  EVENTS_PER_OWNER: { status: 429, message: 'This owner has as many event streams open as it may.', retryAfterSeconds: 5, meaning: 'The owner has `PYTHON3_EVENTS_MAX_PER_OWNER` streams open on this replica. End some, or ask for job records instead.' },
  EVENTS_FULL: { status: 503, message: 'This replica has as many event streams open as it may.', retryAfterSeconds: 5, meaning: '`PYTHON3_EVENTS_MAX_STREAMS` streams are open. Try again after `Retry-After`, or ask for the job record; add API replicas if it stays.' },
  AUTH_REQUIRED: { status: 401, message: 'Send a key: Authorization: Bearer <key>, or X-API-Key: <key>.', meaning: 'The request has no key. `npm start` prints where the keys are.' },
  AUTH_KEY_INVALID: { status: 401, message: 'That key is not known.', meaning: 'A key was sent, but it is none of the configured ones.' },
  AUTH_ROLE_INSUFFICIENT: { status: 403, message: 'That key may not do this.', meaning: 'The key’s role is too low; ADMIN mode needs an `admin` key.' },
  AUTH_SIGN_IN_INVALID: { status: 401, message: 'This sign-in link has been used or has expired.', meaning: 'Sign-in links work once, within ten minutes. `npx python3-cluster sign-in` prints a new one; or send a key.' },
  AUTH_ORIGIN_REFUSED: { status: 403, message: 'A request from another web origin may not use this session.', meaning: 'A browser sent the session cookie from a foreign page. Use a key.' },
  QUEUE_UNAVAILABLE: { status: 503, message: 'The queue cannot be reached; nothing was accepted.', retryAfterSeconds: 2, meaning: 'Redis is away or refuses writes. The job was not accepted; send it again after `Retry-After`.' },
  QUEUE_UNCERTAIN: { status: 503, message: 'The queue did not confirm the job; it may have been accepted.', retryAfterSeconds: 2, meaning: 'The connection to Redis broke between sending and confirmation. `jobId` in the error says which job; ask `GET /api/v1/jobs/{id}` before sending it again. A job of the predecessor’s routes does not start any more.' },
  QUEUE_FULL: { status: 503, message: 'The queue is full; nothing was accepted.', retryAfterSeconds: 5, meaning: 'The lane has `PYTHON3_QUEUE_MAX_JOBS` waiting jobs, or all jobs that are not finished have `PYTHON3_QUEUE_MAX_BYTES` of payload together, or Redis has used 90 % of its `maxmemory`. The message says which. Send it again after `Retry-After`; add worker nodes if it stays.' },
  IDEMPOTENCY_KEY_REUSED: { status: 409, message: 'This Idempotency-Key was used for another request.', meaning: 'The same key came with another body or mode within `PYTHON3_IDEMPOTENCY_TTL_SECONDS`. Nothing was accepted. Use a new key for a new request.' },
  RESULT_EXPIRED: { status: 410, message: 'The job has ended, and its outcome is no longer kept.', meaning: 'Its time (`resultTtlSeconds`) is over; the last 10,000 of a lane are remembered. Of an `Idempotency-Key`: it is remembered longer than the outcome, and the job is not run again; use a new key if it should be. `jobId` in the error.' },
  RESULT_REMOVED: { status: 410, message: 'The job has ended, and its outcome was removed before its time, as there was no room for it.', meaning: 'Outcomes held more than `PYTHON3_RESULT_MAX_BYTES` or `PYTHON3_RESULT_MAX_BYTES_PER_OWNER` allow, and its owner was among those that held most. Raise them, or fetch outcomes sooner. `jobId` in the error.' },
  OUTCOME_UNKNOWN: { status: 504, message: 'The job was accepted, but its outcome was not seen in time.', retryAfterSeconds: 2, meaning: 'The caller’s wait ended before the outcome came. `jobId` in the error; ask `GET /api/v1/jobs/{id}`.' },
  OUTCOME_UNVERIFIED: { status: 502, message: 'The stored outcome of this job is not signed by this cluster and is not believed.', meaning: 'The outcome record in Redis was changed or signed with an unknown key. Check who can write to Redis, and `PYTHON3_SIGNING_KEYS` after a rotation.' },
  NO_WORKER_FOR_LANE: { status: 503, message: 'No worker node serves that lane.', retryAfterSeconds: 5, meaning: 'No live worker node has the job’s lane in `PYTHON3_LANES`. Start one; nothing was accepted.' },
  POOL_BUSY: { status: 503, message: 'No Python executor available: every slot is busy.', retryAfterSeconds: 5, meaning: 'The job waited its whole queue or borrow time without getting a slot, and did not run. Raise `PYTHON3_POOL_MAX` or add worker nodes.' },
  PROGRAM_QUARANTINED: { status: 429, message: 'This program is quarantined.', retryAfterSeconds: 60, meaning: 'The same program of the same caller has crashed or broken default limits `PYTHON3_QUARANTINE_BREACHES` times, and is refused for `PYTHON3_QUARANTINE_SECONDS`; then one job may try it. Mend the program (another text is another program), or have an admin release it: `quarantineId` in the error. Jobs that were accepted before end `rejected` with this code.' },
  QUARANTINE_NOT_FOUND: { status: 404, message: 'Nothing is quarantined under that id.', meaning: 'The entry has been released or forgotten, or never existed. `GET /api/v1/quarantine` lists those that stand.' },
  ALERT_NOT_FOUND: { status: 404, message: 'No open alert has that id.', meaning: 'The alert has resolved, or never existed. `GET /api/v1/alerts` lists those that stand.' },
  REDIS_UNSUITABLE: { status: 503, exitCode: 1, message: 'This Redis must not be used; nothing was accepted.', retryAfterSeconds: 5, meaning: 'Redis is set up so that accepted jobs could be lost: it evicts keys, keeps too little on disk for `PYTHON3_DURABILITY`, or is too old. The message names every problem and what to set. Later, as after a failover to another server: no job is accepted or taken until it is mended; it is looked at again every 2 s.' },
  DURABILITY_UNAVAILABLE: { status: 503, message: 'No replica of Redis confirmed the job; it was not accepted.', retryAfterSeconds: 2, meaning: 'With `PYTHON3_DURABILITY=replica`: no replica confirmed within a second. With `jobId` in the error, the job had been written and was taken back before anybody started it; only a failover in this very moment could bring it back. Without, nothing was written. Send it again after `Retry-After`; see that a replica is connected.' },
  SHUTTING_DOWN: { status: 503, message: 'This replica is shutting down.', retryAfterSeconds: 1, meaning: 'Sent while a replica drains. Another replica will answer.' },
  INTERNAL: { status: 500, message: 'Something went wrong on our side.', meaning: 'A defect. The log has the details under the same `requestId`.' },

  JOB_SIGNATURE_INVALID: { status: null, message: 'The job’s signature is not valid.', meaning: 'In outcomes of status `rejected`: the queued job was changed, is no job at all, or was signed with a key this worker node does not know.' },
  JOB_EXPIRED: { status: null, message: 'The job’s signature has expired.', meaning: 'In outcomes of status `rejected`: the job was picked up after its validity time (or the hosts’ clocks differ).' },
  RECORD_UNVERIFIED: { status: null, message: 'A record in Redis is not signed by this cluster and is not believed.', meaning: 'Logged: somebody without the signing key has written it, or with one that this process does not know. It counts as if it did not exist. In outcomes of status `rejected`: the job’s record does not say how often it was started.' },
  JOB_LANE_MISMATCH: { status: null, message: 'The job was signed for another lane.', meaning: 'In outcomes of status `rejected`: somebody moved the job between queues.' },
  JOB_REPLAYED: { status: null, message: 'A job with this id has finished already, or was never accepted.', meaning: 'Logged by worker nodes: a finished or unknown job stood in the queue again. It is not run.' },
  PAYLOAD_MISSING: { status: null, message: 'The job’s payload is no longer in Redis.', meaning: 'In outcomes of status `rejected`: the separately stored payload of a large job was removed before it ran.' },

  CONFIG_INVALID: { status: null, exitCode: 2, message: 'The configuration is not valid.', meaning: 'Printed at start, with every problem at once. Mend all of them.' },
  PORT_IN_USE: { status: null, exitCode: 2, message: 'The port is in use.', meaning: 'Another process listens on `PORT`, or on `PYTHON3_WORKER_METRICS_PORT`. Stop it, or name another port.' },
  ALREADY_RUNNING: { status: null, exitCode: 1, message: 'This clone is running already.', meaning: 'A second `npm start` in one clone. The message names the process.' },
  CLUSTER_NOT_FOUND: { status: null, exitCode: 1, message: 'The cluster of this clone was not found.', meaning: '`top`, `sign-in` and the examples: nothing answers where the cluster should be, or what answers has not its signing key. No API key was sent. Start the cluster, or name its address by `--url` and the key by `--key-file`.' },
  REDIS_REQUIRED: { status: null, exitCode: 2, message: 'REDIS_URL is required.', meaning: '`api` and `worker` share a Redis; only `start` brings its own.' },
  SIGNING_KEY_REQUIRED: { status: null, exitCode: 2, message: 'PYTHON3_SIGNING_KEY is required.', meaning: 'All hosts need the same master key.' },
  SIGNING_KEY_MISMATCH: { status: 503, exitCode: 2, message: 'PYTHON3_SIGNING_KEY is not the cluster’s.', retryAfterSeconds: 5, meaning: 'Printed at start; from an API replica that runs already, nothing was accepted. The cluster signs with a key that this process has neither in `PYTHON3_SIGNING_KEY` nor in `PYTHON3_SIGNING_KEYS`. The message has both key ids. Give it the key of the other hosts; see [rotation](security-model.md#rotating-the-master-key). Where it is meant to be the new key, run `python3-cluster adopt-signing-key` once.' },
  REDIS_NOT_FOUND: { status: null, exitCode: 2, message: 'No Redis server was found or could be installed.', meaning: 'Install `redis-server` or `valkey-server`, or set `REDIS_URL`.' },
  REDIS_START_FAILED: { status: null, exitCode: 1, message: 'The Redis of this clone did not come up.', meaning: 'A server was found and started, and ended or did not answer. The message has its last words. A damaged append-only file is mended by `redis-check-aof --fix`, on a copy.' },
  START_FAILED: { status: null, exitCode: 1, message: 'The cluster did not come up.', meaning: '`start` only: the API or the worker node ended while they started, refused the first job, or did not answer within a minute. The message says which, with the last words of the log. A first job that has to wait is no failure.' },
  PYTHON_NOT_FOUND: { status: null, exitCode: 2, message: 'No Python 3.11 or newer was found or could be installed.', meaning: 'Install Python, or set `PYTHON3_PATH`.' },
  ISOLATION_INSUFFICIENT: { status: null, exitCode: 2, message: 'This host cannot give the isolation level PYTHON3_ISOLATION asks for.', meaning: 'The worker node does not start. Lower the setting knowingly, or move the worker to another host.' },
  TEMPLATE_START_FAILED: { status: null, exitCode: 2, message: 'A template process did not come up.', meaning: 'The interpreter or a module of `PYTHON3_PRELOAD` cannot be started or imported; the log has its last words.' },
} as const satisfies Record<string, ErrorDefinition>; // prettier-ignore

export type ErrorCode = keyof typeof errorTable;
