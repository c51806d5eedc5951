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
  readonly profiles?: readonly string[];
  readonly tmpfs?: readonly string[];
}

/** The last four are there with the profile `observe` only. */
export type ServiceName = 'redis' | 'api' | 'worker' | 'collector' | 'jaeger' | 'prometheus' | 'grafana';

export interface ComposeFile {
  readonly services: Readonly<Record<ServiceName, ComposeService>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

export const composeText = readFileSync(join(repository, 'docker-compose.yml'), 'utf8');

/** With `<<` merged, the profiles put in and `$$` unescaped, as Compose would hand it to the engine. */
export function loadComposeFile(profiles = ''): ComposeFile {
  const text = composeText.replace(/\$\$|\$\{COMPOSE_PROFILES:\+([^}]*)\}/g, (match, value: string) =>
    match === '$$' ? '$' : profiles === '' ? '' : value,
  );
  return parse(text, { merge: true }) as ComposeFile;
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
