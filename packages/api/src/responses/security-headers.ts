import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** Handlers that put the security headers on every response, whatever becomes of it. */
export function createSecurityHeaders(): RequestHandler[] {
  return [
    helmet({
      contentSecurityPolicy: {
        // helmet's defaults would allow inline styles, and upgrade plain-HTTP plants to an HTTPS nobody serves
        useDefaults: false,
        directives: {
          'default-src': ["'self'"],
          'object-src': ["'none'"],
          'base-uri': ["'none'"],
          'form-action': ["'self'"],
          'frame-ancestors': ["'none'"],
        },
      },
      frameguard: { action: 'deny' },
    }),
    (_request, response, next) => {
      response.setHeader('Permissions-Policy', 'geolocation=(), microphone=(), camera=(), payment=()');
      next();
    },
  ];
}
