import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

export const repository = join(__dirname, '..', '..');

export interface ComposeService {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly target: string };
  readonly user?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly secrets?: readonly string[];
  readonly networks?: readonly string[];
  readonly volumes?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly read_only?: boolean;
  readonly init?: boolean;
  readonly restart?: string;
  readonly stop_grace_period?: string;
  readonly mem_limit?: string;
  readonly pids_limit?: number;
  readonly logging?: { readonly driver: string; readonly options: Readonly<Record<string, string>> };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

export interface ComposeFile {
  readonly services: Readonly<Record<'redis' | 'api' | 'worker', ComposeService>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

export const composeText = readFileSync(join(repository, 'docker-compose.yml'), 'utf8');

/** With `<<` merged and `$$` unescaped, as Compose would hand it to the engine. */
export function loadComposeFile(): ComposeFile {
  return parse(composeText.replaceAll('$$', '$'), { merge: true }) as ComposeFile;
}

/** `1h5m30s` in seconds. */
export function parseSeconds(duration: string): number {
  const units: Record<string, number> = { h: 3_600, m: 60, s: 1, ms: 0.001 };
  return [...duration.matchAll(/(\d+)(ms|h|m|s)/g)].reduce(
    (total, [, count, unit]) => total + Number(count) * (units[unit ?? ''] ?? NaN),
    0,
  );
}

export function parseMebibytes(size: string): number {
  const match = /^(\d+)(mb?|gb?)$/.exec(size);
  if (match === null) throw new Error(`not a size in m or g: ${size}`);
  return Number(match[1]) * (match[2]?.startsWith('g') ? 1_024 : 1);
}
