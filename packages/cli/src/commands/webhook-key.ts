import { ClusterError, KeyRing, loadConfig, webhookKey } from '@python3-cluster/shared';
import { loadEnvironment } from '../load-environment';

/** Prints what a receiver of alerts verifies them with, and with which it can do nothing else. */
export function runWebhookKeyCommand(): void {
  const { config } = loadConfig(loadEnvironment());
  if (config.signingKey === '') throw new ClusterError('SIGNING_KEY_REQUIRED');
  console.log(webhookKey(new KeyRing(config.signingKey)).toString('hex'));
}
