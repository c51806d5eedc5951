import { createRedisKeys, KeyRing, loadConfig, readSigningProbe, replaceSigningProbe } from '@python3-cluster/shared';
import { loadEnvironment } from '../load-environment';
import { withRedis } from '../reach-redis';

/** Makes this host's signing key the cluster's: for a key that was lost, or one that must be replaced at once. */
export async function runAdoptSigningKeyCommand(): Promise<void> {
  const { config } = loadConfig(loadEnvironment(), ['redisUrl', 'signingKey']);
  const keyRing = new KeyRing(config.signingKey, config.signingKeys);
  await withRedis(config, async (redis) => {
    const tools = { redis, keys: createRedisKeys(config.namespace), keyRing };
    const before = await readSigningProbe(tools);
    if (before.keyId === keyRing.currentKeyId) return console.log(`The cluster’s signing key is ${keyRing.currentKeyId} already.`);
    if (!(await replaceSigningProbe(tools, before))) throw new Error('another process has changed it at the same moment; try again');
    console.log(`The cluster’s signing key is ${keyRing.currentKeyId} now; it was ${before.keyId ?? 'none'}.`);
    console.log('Processes with another key refuse jobs until they are given this one. Outcomes signed with another key are not believed.');
  });
}
