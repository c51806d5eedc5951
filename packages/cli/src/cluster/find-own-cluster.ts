import { dataDirectoryOf } from '../data-directory';
import { loadEnvironment } from '../load-environment';
import { findCluster } from './find-cluster';

/** For programs in this clone, such as the examples: the API that runs here, and the developer key. @throws ClusterError CLUSTER_NOT_FOUND */
export async function findOwnCluster(): Promise<{ readonly address: string; readonly key: string }> {
  const environment = loadEnvironment();
  const { address, config } = await findCluster({ environment, dataDirectory: dataDirectoryOf(environment) });
  return { address, key: config.developerApiKey || config.adminApiKey };
}
