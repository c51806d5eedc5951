import { createHmac, timingSafeEqual } from 'node:crypto';
import type { KeyRing } from './key-ring';

/*
 * How a program with the cluster's signing key learns that what listens on a port is an API replica of this cluster, before it
 * sends an API key there: it sends a nonce, and the replica answers with a MAC over the nonce and its own port.
 *
 *   top ──nonce──▶ 127.0.0.1:8311        whoever listens there without the signing key cannot answer
 *   top ◀── MAC(nonce, 8311) ──          whoever passes the question on gets the MAC over another port
 */

export const INSTANCE_NONCE = /^[A-Za-z0-9_-]{22,64}$/;

/** Sent with an answer of `/health/instance`. @param port the one the replica listens on, not one of a proxy before it */
export function proveInstance(keyRing: KeyRing, nonce: string, port: number): string {
  return `${keyRing.currentKeyId}.${mac(keyRing, keyRing.currentKeyId, nonce, port)?.toString('base64url')}`;
}

/** Whether the proof was made by a holder of the signing key that listens on that port. Former keys count during a rotation. */
export function isInstanceProof(keyRing: KeyRing, nonce: string, port: number, proof: string): boolean {
  const [keyId = '', text = ''] = proof.split('.');
  const expected = mac(keyRing, keyId, nonce, port);
  const given = Buffer.from(text, 'base64url');
  return expected !== undefined && given.length === expected.length && timingSafeEqual(given, expected);
}

/** A key for this alone: what anybody may have made is worth nothing elsewhere. */
function mac(keyRing: KeyRing, keyId: string, nonce: string, port: number): Buffer | undefined {
  const key = keyRing.deriveKey(keyId, 'instance', '');
  return key && createHmac('sha256', key).update(`python3-cluster/1\ninstance\n${nonce}\n${port}\n`).digest();
}
