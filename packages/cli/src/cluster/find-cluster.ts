import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterError, isInstanceProof, KeyRing, loadConfig, type Config, type Environment } from '@python3-cluster/shared';
import { readRunFile } from './run-file';

/** The cluster of this clone: what `start` runs here, or an API replica with the settings of the environment and `.env`. */
export interface FoundCluster {
  readonly address: string;
  readonly config: Config;
  readonly keyRing: KeyRing;
}

export interface FindOptions {
  readonly environment: Environment;
  readonly dataDirectory: string;
  /** Where somebody says it is; else `.data/api.json`, else HOST and PORT. */
  readonly url?: string | undefined;
}

const ANSWER_MS = 3_000;

/**
 * Finds the cluster and makes sure that it is this one: what listens there must prove that it has the signing key. Until then
 * nothing is sent that is worth anything.
 * @throws ClusterError CLUSTER_NOT_FOUND, CONFIG_INVALID
 */
export async function findCluster(options: FindOptions): Promise<FoundCluster> {
  const { dataDirectory } = options;
  const { config } = loadConfig(withOwnSecrets(options.environment, dataDirectory));
  const started = readRunFile(dataDirectory)?.address;
  if (config.signingKey === '')
    throw new ClusterError('CLUSTER_NOT_FOUND', `No cluster is known here: there is no signing key in ${join(dataDirectory, 'secrets')}, and none is set.`);
  const keyRing = new KeyRing(config.signingKey, config.signingKeys);
  const problems: string[] = [];
  // What a `start` that was killed has left says nothing against a replica that runs with the settings.
  for (const address of options.url === undefined ? new Set([started ?? addressOf(config), addressOf(config)]) : [options.url]) {
    const problem = await findImpostor(address, keyRing);
    if (problem === undefined) return { address, config, keyRing };
    problems.push(problem);
  }
  throw new ClusterError('CLUSTER_NOT_FOUND', problems[0]);
} // prettier-ignore

/** Secrets that are set, or else those that `start` has made. */
export function withOwnSecrets(environment: Environment, dataDirectory: string): Environment {
  const own = { PYTHON3_SIGNING_KEY: 'signing.key', PYTHON3_ADMIN_APIKEY: 'admin.key', PYTHON3_DEVELOPER_APIKEY: 'developer.key' };
  const added = Object.entries(own).flatMap(([name, file]) => {
    if (environment[name] || environment[`${name}_FILE`]) return [];
    const path = join(dataDirectory, 'secrets', file);
    return isReadable(path) ? [[`${name}_FILE`, path] as const] : [];
  });
  return { ...environment, ...Object.fromEntries(added) };
}

function isReadable(path: string): boolean {
  try {
    return readFileSync(path, 'utf8').trim() !== '';
  } catch {
    return false;
  }
}

/** Of a replica that listens everywhere, the loopback address is one. */
function addressOf({ host, port }: Config): string {
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`;
}

/** Why what answers there is not believed to be a replica of this cluster. */
export async function findImpostor(address: string, keyRing: KeyRing): Promise<string | undefined> {
  const nonce = randomBytes(24).toString('base64url');
  const { protocol, port } = new URL(address);
  let proof: unknown;
  try {
    const response = await fetch(`${address}/health/instance?nonce=${nonce}`, { redirect: 'error', signal: AbortSignal.timeout(ANSWER_MS) });
    const text = (await response.text()).slice(0, 10_000);
    proof = (JSON.parse(text) as { proof?: unknown } | null)?.proof;
  } catch (error) {
    if (!(error instanceof SyntaxError)) return `No cluster answers at ${address} (${reasonOf(error)}). Start it, or name its address by --url.`;
  }
  const asked = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
  if (typeof proof === 'string' && isInstanceProof(keyRing, nonce, asked, proof)) return undefined;
  return `What listens at ${address} is not this cluster, or is behind a proxy. No key was sent there; name the cluster by --url and --key-file.`;
} // prettier-ignore

function reasonOf(error: unknown): string {
  const { cause, message, name } = error as Error;
  if (name === 'TimeoutError') return `no answer within ${ANSWER_MS / 1_000} s`;
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : message;
}
