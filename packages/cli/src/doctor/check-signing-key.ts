import { createRedisKeys, KeyRing, mismatchMessage, readSigningProbe, type Config } from '@python3-cluster/shared';
import { withRedis } from '../reach-redis';
import { fail, ok, warn, type CheckResult } from './check';

/** Compares this host's signing key with the cluster's, as `api` and `worker` do when they start. Nothing where there is no Redis yet. */
export async function checkSigningKey(config: Config | undefined): Promise<CheckResult[]> {
  if (config === undefined || config.redisUrl === '') return [];
  if (config.signingKey === '')
    return [
      warn(
        'Signing key',
        'none is set; `api` and `worker` need one',
        'set PYTHON3_SIGNING_KEY, or PYTHON3_SIGNING_KEY_FILE, to the cluster’s key',
      ),
    ];
  const keyRing = new KeyRing(config.signingKey, config.signingKeys);
  try {
    const reading = await withRedis(config, (redis) => readSigningProbe({ redis, keys: createRedisKeys(config.namespace), keyRing }));
    switch (reading.state) {
      case 'fits':
        return [ok('Signing key', `${reading.keyId}, as the cluster has it`)];
      case 'foreign':
        return [fail('Signing key', mismatchMessage(keyRing.keyIds, reading.keyId), 'copy the cluster’s key to this host')];
      case 'absent':
        return [ok('Signing key', `${keyRing.currentKeyId}; the cluster has none yet, and gets that of the first process to start`)];
      case 'damaged':
        return [
          warn(
            'Signing key',
            'somebody has changed the cluster’s probe in Redis',
            'start a process anew, which writes the probe; find out who can write to Redis',
          ),
        ];
    }
  } catch {
    return []; // that Redis does not answer is said already
  }
}
