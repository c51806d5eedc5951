import { hash, timingSafeEqual } from 'node:crypto';
import { callerWithKey, type Caller } from '../requests/caller';

export interface KeyStore {
  readonly findCaller: (key: string) => Caller | undefined;
}

/** The two keys of the configuration. Their ids are those the later identity system must keep for its first two keys. */
export function createConfiguredKeys(keys: { readonly adminApiKey: string; readonly developerApiKey: string }): KeyStore {
  const entries = [
    { digest: digestOf(keys.adminApiKey), caller: callerWithKey('admin', 'admin'), isSet: keys.adminApiKey !== '' },
    { digest: digestOf(keys.developerApiKey), caller: callerWithKey('developer', 'developer'), isSet: keys.developerApiKey !== '' },
  ];
  return {
    findCaller: (key) => {
      const digest = digestOf(key);
      // every entry is compared, so that the time taken does not tell which one matched
      const matches = entries.filter((entry) => timingSafeEqual(entry.digest, digest) && entry.isSet);
      return matches[0]?.caller;
    },
  };
}

/** Digests have one length, which the constant-time comparison needs and which hides the key's. */
const digestOf = (key: string): Buffer => hash('sha256', key, 'buffer');
