import { JsonFields } from './json-fields';

export interface ApiAddress {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string;
}

export type Answer = { readonly fields: JsonFields } | { readonly fields?: undefined; readonly problem: string };

const TIMEOUT_MS = 3_000;
/** Of thousands of lanes and nodes. What sends more is not the API. */
const MOST_BYTES = 8 * 1_048_576;

/** Never throws: a request that failed answers why. */
export async function requestJson(
  { url, key }: ApiAddress,
  path: string,
  signal?: AbortSignal,
  method: 'GET' | 'DELETE' = 'GET',
): Promise<Answer> {
  try {
    // The key goes to the address it was given for, and nowhere that address may point to.
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${key}` },
      redirect: 'error',
      signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(signal === undefined ? [] : [signal])]),
    });
    const text = await readText(response);
    if (response.ok) return { fields: new JsonFields(JSON.parse(text)) };
    return { problem: `${path}: ${refusalOf(response.status, text)}` };
  } catch (error) {
    return { problem: `${url} cannot be reached: ${reasonOf(error)}` };
  }
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > MOST_BYTES) throw new Error('its answer is too large');
    text += decoder.decode(chunk as Uint8Array, { stream: true });
  }
  return text;
}

/** An error's code, where it is one of the API's. */
function refusalOf(status: number, text: string): string {
  if (status === 401) return 'the key is not accepted (401)';
  try {
    const error = new JsonFields(JSON.parse(text)).object('error');
    return `${error.text('code') ?? 'refused'} (${status})`;
  } catch {
    return `answered ${status}`;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1_000} s`;
  if (error instanceof SyntaxError) return 'its answer is no JSON; is this the API?';
  const { cause } = error;
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : error.message;
}
