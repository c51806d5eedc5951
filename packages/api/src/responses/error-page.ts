import { STATUS_CODES } from 'node:http';
import type { ClusterError, ErrorCode } from '@python3-cluster/shared';
import type { Response } from 'express';
import { escapeHtml } from './escape-html';

/** What a person can do about it, where the message does not say it. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  AUTH_REQUIRED:
    'This address is for programs with a key, or for a browser that is signed in. Whoever operates the cluster gets a link by <code>npx python3-cluster sign-in</code>.',
  AUTH_SIGN_IN_INVALID: 'A new link is printed by <code>npx python3-cluster sign-in</code>, where the cluster runs.',
  AUTH_ROLE_INSUFFICIENT: 'Sign in with a link of a higher role, or ask whoever operates the cluster.',
  ROUTE_NOT_FOUND: 'The address may be misspelt. The first page lists what there is.',
  METHOD_NOT_ALLOWED: 'This address is for programs; a browser cannot open it as a page.',
  INTERNAL: 'Tell whoever operates the cluster the request id: the log has the details under it.',
  QUEUE_UNAVAILABLE: 'Try again in a moment. <a href="/health">The summary of health</a> says what is wrong.',
};

export interface ErrorPage {
  readonly error: ClusterError;
  readonly status: number;
  readonly requestId: string;
}

/** The error as a page without script, in the look of the first page. */
export function renderErrorPage({ error, status, requestId }: ErrorPage): string {
  const title = `${status} ${STATUS_CODES[status] ?? ''}`.trim();
  const advice = ADVICE[error.code];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} – python3-cluster</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/home.css">
</head>
<body>
<header>
<h1>${title}</h1>
<p>python3-cluster</p>
</header>
<main>
<p class="warning" role="alert">${escapeHtml(error.message)}</p>
${advice === undefined ? '' : `<p>${advice}</p>\n`}<p><a href="/">To the first page</a></p>
<table>
<tr><th scope="row">Code</th><td><code>${escapeHtml(error.code)}</code></td></tr>
<tr><th scope="row">Request id</th><td><code>${escapeHtml(requestId)}</code></td></tr>
</table>
</main>
</body>
</html>
`;
}

export function sendErrorPage(response: Response, page: ErrorPage): void {
  const bytes = Buffer.from(renderErrorPage(page));
  response.statusCode = page.status;
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.setHeader('Content-Length', bytes.length);
  response.setHeader('Cache-Control', 'no-store');
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}
