import { ClusterError } from '@python3-cluster/shared';
import type { IncomingMessage } from 'node:http';
import type { Caller } from '../requests/caller';
import type { CredentialSource } from './authenticator';
import type { KeyStore } from './key-store';

/** Keys in headers: `Authorization: Bearer`, `X-API-Key`, and the predecessor's `X-Python3-Admin-Key`. */
export function createKeySource(keys: KeyStore): CredentialSource {
  return (request) => {
    const callers = presentedKeys(request).map((presented) => findCaller(keys, presented));
    const [first, ...others] = callers;
    if (others.some((other) => other.keyId !== first?.keyId)) {
      throw new ClusterError('AUTH_KEY_INVALID', 'The request has two keys that disagree; send one.');
    }
    return first;
  };
}

/** Whether the predecessor's headers ask for ADMIN mode. What the key allows is decided in `decide-mode.ts`. */
export function asksForAdminMode(request: IncomingMessage): boolean {
  return (
    request.headers['x-python3-admin-key'] !== undefined ||
    String(request.headers['x-admin-mode'] ?? '')
      .trim()
      .toLowerCase() === 'true'
  );
}

interface PresentedKey {
  readonly key: string;
  readonly mustBeAdmin: boolean;
}

/** Repeated headers count one by one: `request.headers` would silently drop a second `Authorization`. */
function presentedKeys(request: IncomingMessage): PresentedKey[] {
  const { authorization, 'x-api-key': apiKeys, 'x-python3-admin-key': adminKeys } = request.headersDistinct;
  return [
    ...(authorization ?? []).map((header) => ({ key: bearerToken(header), mustBeAdmin: false })),
    ...(apiKeys ?? []).map((key) => ({ key, mustBeAdmin: false })),
    ...(adminKeys ?? []).map((key) => ({ key, mustBeAdmin: true })),
  ];
}

function bearerToken(header: string): string {
  const token = /^Bearer +(\S+) *$/i.exec(header)?.[1];
  if (token === undefined) throw new ClusterError('AUTH_KEY_INVALID', "The header 'Authorization' must read 'Bearer <key>'.");
  return token;
}

function findCaller(keys: KeyStore, { key, mustBeAdmin }: PresentedKey): Caller {
  const caller = keys.findCaller(key);
  if (caller === undefined || (mustBeAdmin && caller.role !== 'admin')) throw new ClusterError('AUTH_KEY_INVALID');
  return caller;
}
