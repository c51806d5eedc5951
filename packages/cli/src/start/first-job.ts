/** What the first job through the whole path answered. */
export interface FirstJob {
  readonly answer: string;
  readonly ms: number;
}

const FIRST_CODE = 'result = 2 ** 100';
const UP_TIMEOUT_MS = 60_000;
const POLL_MS = 25;

/** Waits until the API answers and a worker node runs jobs, by running one. */
export async function runFirstJob(address: string, key: string): Promise<FirstJob> {
  const deadline = Date.now() + UP_TIMEOUT_MS;
  let last = 'no answer';
  while (Date.now() < deadline) {
    const startedAt = performance.now();
    try {
      const response = await fetch(`${address}/data/python3integration/api/v1/exec`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ code: FIRST_CODE }),
      });
      const text = await response.text();
      if (response.ok) return { answer: text, ms: performance.now() - startedAt };
      last = text;
    } catch (error) {
      last = String(error);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`no job could be run within ${UP_TIMEOUT_MS / 1_000} s: ${last}`);
}
