import { PRODUCT_VERSION, type Role } from '@python3-cluster/shared';
import type { ClusterSummary } from '../cluster/cluster-summary';
import type { RedisHealth } from '../cluster/redis-health';
import { escapeHtml } from '../responses/escape-html';

export interface HomePage {
  /** Origin to call, e.g. `http://127.0.0.1:8311`. */
  readonly address: string;
  /** Role of the signed-in browser, if it is. */
  readonly role: Role | undefined;
  /** Shown to signed-in browsers only. */
  readonly cluster: { readonly summary: ClusterSummary; readonly redis: RedisHealth } | undefined;
}

const ROUTES: readonly (readonly [string, string])[] = [
  ['POST /api/v1/jobs', 'run code, an expression or a function; with <code>Prefer: wait=10</code> the answer holds the outcome'],
  ['GET /api/v1/jobs/{id}', 'a job and its outcome'],
  ['GET /api/v1/workers', 'the worker nodes'],
  [
    'POST /data/python3integration/api/v1/exec',
    'run statements and wait (also <code>eval</code>, <code>call-module</code>, <code>check-syntax</code>)',
  ],
  [
    'GET /data/python3integration/api/v1/version',
    'also <code>pool-stats</code>, <code>health</code>, <code>diagnostics</code>, <code>example</code>',
  ],
];

/** One page without script: what this is and how to send the first job. */
export function renderHomePage(page: HomePage): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>python3-cluster</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/home.css">
</head>
<body>
<header>
<h1>python3-cluster</h1>
<p>Real Python 3 for industrial plants, as a cluster. Version ${escapeHtml(PRODUCT_VERSION)}.</p>
</header>
<main>
${page.cluster ? renderCluster(page.cluster.summary, page.cluster.redis) : ''}<section aria-labelledby="first">
<h2 id="first">Run the first job</h2>
<p>In a terminal, in the folder <code>npm start</code> was run in:</p>
<pre tabindex="0"><code>${escapeHtml(curlLine(page.address))}</code></pre>
<p>The keys are in <code>.data/secrets/developer.key</code> and <code>.data/secrets/admin.key</code>, readable by the account that started the cluster. Where others operate it, ask them for one.</p>
</section>
<section aria-labelledby="routes">
<h2 id="routes">Routes</h2>
<dl>
${ROUTES.map(([route, words]) => `<dt><code>${escapeHtml(route)}</code></dt><dd>${words}</dd>`).join('\n')}
</dl>
<p>Health, without a key: <a href="/health">summary</a>, <a href="/health/live">live</a>, <a href="/health/ready">ready</a>.</p>
</section>
</main>
<footer>
${page.role === undefined ? '<p>Not signed in. <code>npm start</code> prints a link that signs this browser in, and <code>npx python3-cluster sign-in</code> a new one.</p>' : renderSession(page.role)}
</footer>
</body>
</html>
`;
}

function renderCluster({ workers, lanes, slots, isolationLevel, warning }: ClusterSummary, redis: RedisHealth): string {
  return `<section aria-labelledby="cluster">
<h2 id="cluster">This cluster</h2>
${warning === undefined ? '' : `<p class="warning" role="note"><strong>Note:</strong> ${escapeHtml(warning)}</p>\n`}<table>
<tr><th scope="row">Worker nodes</th><td>${workers}</td></tr>
<tr><th scope="row">Slots</th><td>${slots.inUse} of ${slots.total} in use, up to ${slots.max}</td></tr>
<tr><th scope="row">Lanes</th><td>${escapeHtml(lanes.join(', ') || 'none')}</td></tr>
<tr><th scope="row">Isolation level</th><td>${isolationLevel ?? 'unknown'}</td></tr>
<tr><th scope="row">Redis</th><td>${redis.writable ? 'takes writes' : redis.reachable ? 'refuses writes' : 'cannot be reached'}</td></tr>
</table>
</section>
`;
}

const renderSession = (role: Role): string =>
  `<form method="post" action="/sign-out"><p>Signed in as <strong>${escapeHtml(role)}</strong>. <button type="submit">Sign out</button></p></form>`;

const curlLine = (address: string): string =>
  [
    `curl -s ${address}/data/python3integration/api/v1/exec \\`,
    '  -H "Authorization: Bearer $(cat .data/secrets/developer.key)" \\',
    "  -H 'Content-Type: application/json' \\",
    `  -d '{"code": "result = 2**100"}'`,
  ].join('\n');
