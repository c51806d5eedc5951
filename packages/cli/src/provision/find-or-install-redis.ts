import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkRedis, findRedis, REDIS_MIN_VERSION, serversInTools, toCandidate, type RedisServerCommand } from './find-redis';
import { withPackageLists } from './keep-package-lists';
import { findPackageManager, installWith, type PackageRecipe } from './package-managers';
import { ProvisionError } from './provision-error';
import { withProvisionLock } from './provision-lock';
import { unpackDebianPackages } from './unpack-debian-packages';

export interface FindOrInstallRedisOptions {
  /** Where to unpack, if that is what it takes: `.data` of the clone. */
  readonly dataDirectory: string;
  /** Hears one line before anything slow. */
  readonly report: (line: string) => void;
  /** Ends an installation under way. */
  readonly signal?: AbortSignal;
}

/** `redis-tools` and not `redis-server`: the latter would leave a system service enabled and running. */
export const redisRecipe: PackageRecipe = {
  apt: [
    { name: 'redis-tools', minVersion: REDIS_MIN_VERSION },
    { name: 'valkey-tools', minVersion: '7.2' },
  ],
  aptExtras: [],
  dnf: [['valkey'], ['redis']],
  apk: [['valkey'], ['redis']],
  brew: [['redis'], ['valkey']],
};

/** A Redis or Valkey server from this machine, from an earlier start, or newly installed; else `REDIS_NOT_FOUND`. */
export async function findOrInstallRedis(options: FindOrInstallRedisOptions): Promise<RedisServerCommand> {
  const { dataDirectory, report } = options;
  return withPackageLists(
    dataDirectory,
    'redis',
    async () => (await findRedis(dataDirectory, report)) ?? withProvisionLock(dataDirectory, report, () => findAgainOrInstall(options)),
  );
}

/** Another process may have installed one while this one waited for the lock. */
const findAgainOrInstall = async (options: FindOrInstallRedisOptions): Promise<RedisServerCommand> =>
  (await findRedis(options.dataDirectory, () => undefined)) ?? install(options);

async function install(options: FindOrInstallRedisOptions): Promise<RedisServerCommand> {
  const { dataDirectory, report, signal } = options;
  const manager = findPackageManager();
  let failure: unknown;
  if (manager?.mayInstall === true) {
    report(`No Redis server found; installing one with ${manager.name}.`);
    try {
      await installWith(manager, redisRecipe, report, signal);
      const installed = await findRedis(dataDirectory, report);
      if (installed !== undefined) return { ...installed, source: 'system-package' };
    } catch (error) {
      failure = error;
    }
  }
  if (manager?.name === 'apt' && signal?.aborted !== true) {
    report('No Redis server found; unpacking one from the system’s packages.');
    try {
      return await unpackRedis(options);
    } catch (error) {
      failure ??= error;
    }
  }
  const reason = failure instanceof Error ? ` (${failure.message})` : '';
  throw new ProvisionError(
    'REDIS_NOT_FOUND',
    `No Redis server was found or could be installed${reason}: install redis-server or valkey-server ${REDIS_MIN_VERSION} or newer, or set REDIS_URL to one that runs elsewhere.`,
    { cause: failure },
  );
}

async function unpackRedis({ dataDirectory, report, signal }: FindOrInstallRedisOptions): Promise<RedisServerCommand> {
  const unpacked = await unpackDebianPackages({
    dataDirectory,
    name: 'redis',
    choices: redisRecipe.apt,
    report,
    signal,
    locate: (root) =>
      serversInTools.map(({ file, argv0 }) => ({ file: join('usr/bin', file), argv0 })).find(({ file }) => existsSync(join(root, file))),
    verify: async (candidate) => void (await checkRedis(toCandidate(candidate))),
  });
  return checkRedis(toCandidate(unpacked));
}
