import { ADMIN_KEY, DEVELOPER_KEY, type TestCluster } from './test-cluster';

/** A cluster, as far as its API is asked. */
export type Reached = Pick<TestCluster, 'url'>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Exactly as sent: numbers are not to be judged through Node's own parser. */
  readonly text: string;
  readonly json: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- JSON, as a caller without types reads it
}

export interface CallOptions {
  readonly key?: string | null;
  readonly headers?: Record<string, string>;
  readonly replica?: number;
  readonly method?: string;
}

const LEGACY = '/data/python3integration/api/v1';

/** Any route; a body that is a string is sent as it is. */
export async function call(cluster: Reached, path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
  const key = options.key === undefined ? DEVELOPER_KEY : options.key;
  const response = await fetch(cluster.url(path, options.replica ?? 0), {
    method: options.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parseOrNull(text) };
}

/** A predecessor's route, e.g. `exec`. */
export const legacy = (cluster: Reached, route: string, body?: unknown, options?: CallOptions): Promise<Answer> =>
  call(cluster, `${LEGACY}/${route}`, body, options);

export const exec = (cluster: Reached, code: string, variables: object = {}, options?: CallOptions): Promise<Answer> =>
  legacy(cluster, 'exec', { code, variables }, options);

/** ADMIN mode, by the predecessor's header. */
export const execAsAdmin = (cluster: Reached, code: string, variables: object = {}): Promise<Answer> =>
  exec(cluster, code, variables, { key: null, headers: { 'x-python3-admin-key': ADMIN_KEY } });

/** A modern job whose end the caller waits for. */
export const runJob = (cluster: Reached, job: object, options: CallOptions = {}): Promise<Answer> =>
  call(cluster, '/api/v1/jobs', job, { ...options, headers: { prefer: 'wait=30', ...options.headers } });

export const runAdminJob = (cluster: Reached, job: object): Promise<Answer> =>
  runJob(cluster, { mode: 'admin', ...job }, { key: ADMIN_KEY });

/** The value's text in a modern job's answer. */
export function valueText(answer: Answer): string | undefined {
  return /"value":(.*?),"stdout":/s.exec(answer.text)?.[1];
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Fails unless each of the next jobs on the node gets its own answer: a stream that is off by one would not. */
export async function assertOwnAnswers(cluster: Reached, count = 20): Promise<void> {
  const marks = Array.from({ length: count }, (_, index) => `${index}-${Math.random()}`);
  const answers = await Promise.all(marks.map((mark) => exec(cluster, 'result = mark', { mark })));
  answers.forEach((answer, index) => {
    if (answer.json?.result !== marks[index]) throw new Error(`job ${index} was answered with ${answer.text}`);
  });
}
