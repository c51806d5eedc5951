export interface RedisHost {
  readonly host: string;
  readonly port: number;
}

/** What `REDIS_URL` names. User and password are those of the Redis servers; sentinels have their own. */
export interface RedisTarget {
  readonly kind: 'server' | 'sentinel' | 'cluster';
  readonly tls: boolean;
  /** The server; or the sentinels; or some nodes of the cluster, which name the others. */
  readonly hosts: readonly RedisHost[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** Sentinel's name for the primary and its replicas; '' for the other kinds. */
  readonly masterName: string;
  readonly sentinelUsername: string | undefined;
  readonly sentinelPassword: string | undefined;
}

const FORMS =
  'redis://[user:password@]host[:port][/database], redis+sentinel://[user:password@]host[:port],…/master-name[/database][?sentinelPassword=…] or redis+cluster://[user:password@]host[:port],… (rediss for TLS)';

const SHAPE = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?#\s]*)@)?([^@/?#\s]+)(?:\/([^?#\s]*))?(?:\?([^#\s]*))?$/;
const HOST = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/;
const DEFAULT_PORT = { server: 6_379, sentinel: 26_379, cluster: 6_379 } as const;

export type ParsedRedisTarget = { readonly ok: true; readonly value: RedisTarget } | { readonly ok: false; readonly problem: string };

/** The problem never repeats the text: it holds passwords. */
export function parseRedisTarget(text: string): ParsedRedisTarget {
  const [, scheme, kindText, userInfo, hostsText = '', path = '', query = ''] = SHAPE.exec(text) ?? [];
  if (scheme === undefined) return bad(`must look like ${FORMS}`);
  const kind = (kindText ?? 'server') as RedisTarget['kind'];
  try {
    const hosts = hostsText.split(',').map((host) => parseHost(host, DEFAULT_PORT[kind]));
    if (kind === 'server' && hosts.length > 1) throw new Problem('must name one host, unless it is redis+sentinel or redis+cluster');
    return {
      ok: true,
      value: { kind, tls: scheme === 'rediss', hosts, ...parseUserInfo(userInfo), ...parsePath(kind, path), ...parseQuery(kind, query) },
    };
  } catch (error) {
    if (error instanceof Problem) return bad(error.message);
    // decodeURIComponent's own complaint holds no more than this
    return bad('has a % that is not followed by two hexadecimal digits');
  }
}

class Problem extends Error {}

const bad = (problem: string): { readonly ok: false; readonly problem: string } => ({ ok: false, problem });

function parseHost(text: string, defaultPort: number): RedisHost {
  const [, address, name, portText] = HOST.exec(text) ?? [];
  const host = address ?? name;
  const port = Number(portText ?? defaultPort);
  if (host === undefined || port < 1 || port > 65_535) throw new Problem(`must look like ${FORMS}`);
  return { host, port };
}

function parseUserInfo(text: string | undefined): Pick<RedisTarget, 'username' | 'password'> {
  if (text === undefined || text === '') return { username: undefined, password: undefined };
  const colon = text.indexOf(':');
  if (colon === -1) throw new Problem('must give a password with the user: user:password@, or :password@ for the default user');
  const [username, password] = [text.slice(0, colon), text.slice(colon + 1)].map(decodeURIComponent) as [string, string];
  return { username: username === '' ? undefined : username, password: password === '' ? undefined : password };
}

function parsePath(kind: RedisTarget['kind'], path: string): Pick<RedisTarget, 'masterName' | 'database'> {
  const parts = path.split('/').filter((part) => part !== '');
  const masterName = kind === 'sentinel' ? decodeURIComponent(parts.shift() ?? '') : '';
  const [databaseText = '0', ...rest] = parts;
  if (kind === 'sentinel' && masterName === '') throw new Problem('must name the master after the sentinels: …/master-name');
  if (!/^\d{1,5}$/.test(databaseText) || rest.length > 0) throw new Problem('must end with the number of the database, or nothing');
  if (kind === 'cluster' && databaseText !== '0') throw new Problem('must not name a database: a cluster has only one');
  return { masterName, database: Number(databaseText) };
}

function parseQuery(kind: RedisTarget['kind'], query: string): Pick<RedisTarget, 'sentinelUsername' | 'sentinelPassword'> {
  const parameters = new Map(
    query
      .split('&')
      .filter((parameter) => parameter !== '')
      .map((parameter) => parameter.split(/=(.*)/s, 2).map((part) => decodeURIComponent(part)) as [string, string | undefined]),
  );
  const known = kind === 'sentinel' ? ['sentinelUsername', 'sentinelPassword'] : [];
  const unknown = [...parameters.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Problem(known.length === 0 ? 'takes no ?parameters' : `takes no ?parameters but ${known.join(' and ')}`);
  return { sentinelUsername: parameters.get('sentinelUsername'), sentinelPassword: parameters.get('sentinelPassword') };
}
