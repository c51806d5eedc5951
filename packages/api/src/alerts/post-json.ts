/** What became of a message; `isFinal`: it will not become better by sending it again. */
export type PostAnswer = { readonly ok: true } | { readonly ok: false; readonly reason: string; readonly isFinal: boolean };

const TIMEOUT_MS = 5_000;
const RETRYABLE_CLIENT_ERRORS = [408, 425, 429];

/**
 * Posts to an address that the operator has set, and to no other: redirects are refused, so that nobody who answers there
 * can have us send elsewhere. Of the answer only the status is read. Never throws.
 */
export async function postJson(
  url: string,
  body: Buffer,
  { headers = {}, signal }: { readonly headers?: Readonly<Record<string, string>>; readonly signal: AbortSignal },
): Promise<PostAnswer> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'python3-cluster', ...headers },
      body: new Uint8Array(body),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    await response.body?.cancel().catch(() => undefined);
    if (response.ok) return { ok: true };
    const { status } = response;
    return { ok: false, reason: `status ${status}`, isFinal: status < 500 && !RETRYABLE_CLIENT_ERRORS.includes(status) };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return {
      ok: false,
      reason: cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause).slice(0, 200),
      isFinal: false,
    };
  }
}
