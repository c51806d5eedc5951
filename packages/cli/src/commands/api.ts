import { runApi } from '@python3-cluster/api';
import { loadEnvironment } from '../load-environment';

export async function runApiCommand(options: { readonly stopWithParent?: boolean }): Promise<void> {
  await runApi(loadEnvironment(), options.stopWithParent ? { aliveStream: process.stdin } : {});
}
