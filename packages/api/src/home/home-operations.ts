import type { Config, KeyRing } from '@python3-cluster/shared';
import type { RedisProbe } from '../cluster/redis-health';
import type { WorkerRegistry } from '../cluster/worker-registry';
import type { Request, Response } from 'express';
import type { Caller } from '../requests/caller';
import { isEncrypted } from '../auth/same-origin';
import { readSessionCookie } from '../auth/session-cookie';
import { openSessionCookie } from '../auth/session-source';
import { summarizeWorkers } from '../cluster/cluster-summary';
import { defineFeature } from '../operations/feature';
import type { Handle, Operation } from '../operations/operation';
import { renderHomePage } from './home-page';
import { HOME_ICON, HOME_STYLE } from './home-style';

interface HomeParts {
  readonly config: Config;
  readonly keyRing: KeyRing;
  readonly registry: WorkerRegistry;
  readonly probe: RedisProbe;
}

const PAGE = { method: 'get', access: 'public', effect: 'read', query: 'any' } as const satisfies Partial<Operation>;

/** The page a browser meets first. */
export const homeFeature = defineFeature({
  name: 'home',
  operations: {
    show: { ...PAGE, path: '/', answers: { 200: 'home page' } },
    style: { ...PAGE, path: '/assets/home.css', answers: { 200: 'its style sheet' } },
    icon: { ...PAGE, path: '/assets/icon.svg', answers: { 200: 'its icon' } },
  },
  create: (parts: HomeParts) => ({
    show: showHome(parts),
    style: showAsset('text/css', HOME_STYLE),
    icon: showAsset('image/svg+xml', HOME_ICON),
  }),
});

function showHome({ config, keyRing, registry, probe }: HomeParts): Handle {
  return ({ request, response }) => {
    const session = sessionOf(request, keyRing);
    response.setHeader('Cache-Control', 'no-store');
    // with no-referrer, browsers name no origin when the sign-out form is sent
    response.setHeader('Referrer-Policy', 'same-origin');
    sendText(
      response,
      'text/html',
      renderHomePage({
        address: addressOf(request, config),
        role: session?.role,
        cluster: session && { summary: summarizeWorkers(registry.liveWorkers()), redis: probe.health() },
      }),
    );
  };
}

/** To this page, a session that has ended is none. */
function sessionOf(request: Request, keyRing: KeyRing): Caller | undefined {
  const cookie = readSessionCookie(request);
  return cookie === undefined ? undefined : openSessionCookie(keyRing, cookie);
}

/** As the browser reached us, which works for its user, too; a strange Host header is not repeated. */
function addressOf(request: Request, config: Config): string {
  const host = request.headers.host ?? '';
  const isPlain = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d+)?$/.test(host);
  return `${isEncrypted(request) ? 'https' : 'http'}://${isPlain ? host : `127.0.0.1:${config.port}`}`;
}

function showAsset(type: 'text/css' | 'image/svg+xml', text: string): Handle {
  return ({ response }) => {
    response.setHeader('Cache-Control', 'public, max-age=3600');
    sendText(response, type, text);
  };
}

function sendText(response: Response, type: string, text: string): void {
  const bytes = Buffer.from(text);
  response.setHeader('Content-Type', `${type}; charset=utf-8`);
  response.setHeader('Content-Length', bytes.length);
  response.end(response.req.method === 'HEAD' ? undefined : bytes);
}
