import { findUnsoundness, isFramingFault } from '@python3-cluster/shared';
import type { RequestHandler } from 'express';
import type { Socket } from 'node:net';

/**
 * Refuses requests that could be read in two ways (`findUnsoundness`). Where the fault is in what belongs to the request, the
 * next bytes on its connection may be its body, chosen by somebody else: Node hands them out as requests, and none of them is
 * handled.
 */
export function createUnsoundRefusal(): RequestHandler {
  const ambiguous = new WeakSet<Socket>();
  return (request, response, next) => {
    if (ambiguous.has(request.socket)) return;
    const error = findUnsoundness(request);
    if (error !== undefined && (isFramingFault(error) || error.code === 'REQUEST_EXPECTATION')) {
      if (isFramingFault(error)) ambiguous.add(request.socket);
      response.setHeader('Connection', 'close');
    }
    next(error);
  };
}
