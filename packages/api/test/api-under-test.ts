import { createLogger, loadConfig, type Environment } from '@python3-cluster/shared';
import { createApi, type Api } from '../src/create-api';

export const ADMIN_KEY = 'admin-key-of-the-tests-0123456789abcdef';
export const DEVELOPER_KEY = 'developer-key-of-the-tests-0123456789';
export const SIGNING_KEY = 'signing-key-of-the-tests-0123456789abc';

export interface ApiUnderTest {
  readonly api: Api;
  readonly origin: string;
  readonly call: (path: string, init?: RequestInit & { readonly key?: string | null }) => Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON, as a caller without types reads it
  readonly body: any;
}

export const LEGACY = '/data/python3integration/api/v1';

export async function startApiUnderTest(environment: Environment): Promise<ApiUnderTest> {
  const { config } = loadConfig({
    PORT: '0',
    PYTHON3_ADMIN_APIKEY: ADMIN_KEY,
    PYTHON3_DEVELOPER_APIKEY: DEVELOPER_KEY,
    PYTHON3_SIGNING_KEY: SIGNING_KEY,
    PYTHON3_LOG_LEVEL: 'silent',
    PYTHON3_DRAIN_SECONDS: '1',
    ...environment,
  });
  const api = await createApi({ config, logger: createLogger('api', config.logLevel) });
  try {
    await api.start();
  } catch (error) {
    await api.stop();
    throw error;
  }
  const origin = `http://127.0.0.1:${api.address?.port ?? 0}`;
  return { api, origin, call: (path, init) => call(origin + path, init) };
}

async function call(url: string, { key = DEVELOPER_KEY, ...init }: RequestInit & { readonly key?: string | null } = {}): Promise<Answer> {
  const response = await fetch(url, {
    redirect: 'manual',
    ...init,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...init.headers,
    },
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: text.startsWith('{') ? (JSON.parse(text) as unknown) : undefined,
  };
}
