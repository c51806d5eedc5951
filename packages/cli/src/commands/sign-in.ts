import { createSignInPath } from '@python3-cluster/api';
import { dataDirectoryOf } from '../data-directory';
import { findCluster } from '../cluster/find-cluster';
import { loadEnvironment } from '../load-environment';

export interface SignInOptions {
  readonly url?: string;
}

/** Prints a link that signs one browser in, for a cluster that runs already. The browser's address may be a proxy's: `--url`. */
export async function runSignInCommand({ url }: SignInOptions): Promise<void> {
  const environment = loadEnvironment();
  const { address, keyRing } = await findCluster({ environment, dataDirectory: dataDirectoryOf(environment) });
  console.log(`${url ?? address}${createSignInPath(keyRing, 'admin')}`);
  if (process.stdout.isTTY) console.log('It signs in one browser, once, within 10 minutes, with the rights of the admin key.');
}
