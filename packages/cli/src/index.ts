export { runCli } from './main';
export { findOwnCluster } from './cluster/find-own-cluster';
