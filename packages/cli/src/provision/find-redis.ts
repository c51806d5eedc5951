import { findAllOnPath } from './find-on-path';
import { isAtLeast, parseServerVersion } from './program-version';
import { runCommand } from './run-command';
import { findUnpackedPackage, type UnpackedPackage } from './unpacked-package';

export interface RedisServerCommand {
  readonly file: string;
  /** To be given to `spawn`: the server in Debian's tools package goes by its first argument. */
  readonly argv0?: string;
  readonly env: Record<string, string>;
  readonly version: string;
  readonly source: 'path' | 'system-package' | 'unpacked';
}

/** Streams, `LMOVE`, `XAUTOCLAIM`, `GETDEL` and ACL passwords are all there from 6.2 on. */
export const REDIS_MIN_VERSION = '6.2.0';

const VERSION_TIMEOUT_MS = 10_000;

/** On Debian and Ubuntu `redis-server` is a link to these, and only the link is in the package with the service. */
export const serversInTools = [
  { file: 'redis-check-rdb', argv0: 'redis-server' },
  { file: 'valkey-check-rdb', argv0: 'valkey-server' },
] as const;

interface Candidate {
  readonly file: string;
  readonly argv0?: string;
  readonly env: Record<string, string>;
  readonly source: RedisServerCommand['source'];
}

/** A server of this machine, or the one an earlier start unpacked. Runs offline; `report` hears why one is passed over. */
export async function findRedis(dataDirectory: string, report: (line: string) => void): Promise<RedisServerCommand | undefined> {
  const unpacked = findUnpackedPackage(dataDirectory, 'redis');
  const candidates: Candidate[] = [
    ...['redis-server', 'valkey-server'].flatMap((name) => findAllOnPath(name).map((file) => ({ file, env: {}, source: 'path' as const }))),
    ...serversInTools.flatMap(({ file: name, argv0 }) =>
      findAllOnPath(name).map((file) => ({ file, argv0, env: {}, source: 'system-package' as const })),
    ),
    ...(unpacked === undefined ? [] : [toCandidate(unpacked)]),
  ];
  for (const candidate of candidates) {
    try {
      return await checkRedis(candidate);
    } catch (error) {
      report(`Passing over ${candidate.file}: ${(error as Error).message}`);
    }
  }
  return undefined;
}

/** Runs it, for its version; rejects one that does not run or is too old. */
export async function checkRedis(candidate: Candidate): Promise<RedisServerCommand> {
  const stdout = await runCommand(candidate.file, ['--version'], {
    timeoutMs: VERSION_TIMEOUT_MS,
    env: candidate.env,
    ...(candidate.argv0 === undefined ? {} : { argv0: candidate.argv0 }),
  });
  const version = parseServerVersion(stdout);
  if (version === undefined) throw new Error('it does not answer as a Redis or Valkey server.');
  if (!isAtLeast(version, REDIS_MIN_VERSION)) throw new Error(`it is version ${version}, and ${REDIS_MIN_VERSION} or newer is needed.`);
  return { ...candidate, version };
}

export const toCandidate = ({ file, argv0, env }: UnpackedPackage): Candidate => ({
  file,
  ...(argv0 === undefined ? {} : { argv0 }),
  env,
  source: 'unpacked',
});
