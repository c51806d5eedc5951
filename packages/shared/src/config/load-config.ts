import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { ClusterError } from '../errors/cluster-error';
import { warnOfPorts } from './ephemeral-ports';
import { isNearMiss } from './near-miss';
import type { Option } from './option';
import { defaultPoolMax } from './default-pool-max';
import { readMemory } from './memory-limit';
import { optionTable, SLOTS_LEAST, SLOTS_MOST, type Config } from './option-table';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface LoadedConfig {
  readonly config: Config;
  /** One sentence each, for the log; nothing here stops the start. */
  readonly warnings: readonly string[];
  /** Files that secrets were read from, or that are secrets. */
  readonly secretFiles: readonly string[];
}

const options = Object.entries(optionTable) as readonly (readonly [keyof Config, Option<unknown>])[];
const knownNames = new Set(
  options.flatMap(([, option]) => {
    const names = [option.name, ...(option.aliases ?? [])];
    return option.secret ? [...names, ...names.map((name) => `${name}_FILE`)] : names;
  }),
);

/**
 * Reads the whole configuration from an environment.
 * @throws ClusterError CONFIG_INVALID naming every problem at once.
 */
export function loadConfig(environment: Environment): LoadedConfig {
  const problems: string[] = [];
  const values: Partial<Record<keyof Config, unknown>> = {};
  for (const [property, option] of options) {
    values[property] = Object.freeze(readOption(option, environment, problems));
  }
  if (!isSet(optionTable.poolMax, environment)) values.poolMax = derivePoolMax(values as Config);
  const config = Object.freeze(values) as Config;
  problems.push(...crossProblems(config));
  const secretFiles = [...findSecretFiles(environment), config.redisTlsKey].filter(Boolean);
  const { nearMisses, unknown } = sortUnknownNames(environment);
  problems.push(...nearMisses);
  if (problems.length > 0) {
    throw new ClusterError('CONFIG_INVALID', `Bad configuration:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
  const warnings = unknown.map((name) => `${name} is not a setting of this version and is ignored`);
  if (config.drainSeconds < config.timeoutSeconds)
    warnings.push(
      `PYTHON3_DRAIN_SECONDS (${config.drainSeconds}) is below PYTHON3_TIMEOUT_SECONDS (${config.timeoutSeconds}): a stop ends jobs that had time left`,
    );
  warnings.push(...warnOfPorts({ [optionTable.port.name]: config.port, [optionTable.workerMetricsPort.name]: config.workerMetricsPort }));
  return { config, warnings, secretFiles };
}

const isSet = ({ name, aliases = [] }: Option<unknown>, environment: Environment): boolean =>
  [name, ...aliases].some((known) => (environment[known] ?? '') !== '');

/** By what the host, or the unit or container on it, has. */
function derivePoolMax({ maxMemoryMb, poolMin }: Config): number {
  const host = { cores: availableParallelism(), memoryBytes: readMemory().totalBytes, maxMemoryMb };
  return defaultPoolMax(host, Math.max(SLOTS_LEAST, poolMin), SLOTS_MOST);
}

const findSecretFiles = (environment: Environment): string[] =>
  [...knownNames]
    .filter((name) => name.endsWith('_FILE'))
    .flatMap((name) => environment[name] || findCredential(name.slice(0, -'_FILE'.length), environment) || []);

function readOption(option: Option<unknown>, environment: Environment, problems: string[]): unknown {
  const found = [option.name, ...(option.aliases ?? [])]
    .map((name) => readText(name, option, environment, problems))
    .filter((entry) => entry !== undefined);
  const first = found[0];
  if (first === undefined) return option.default;
  const other = found.find((entry) => entry.text !== first.text);
  if (other) problems.push(`${first.name} and ${other.name} mean the same but differ`);
  const parsed = option.parse(first.text);
  if (parsed.ok) return parsed.value;
  problems.push(`${first.name} ${parsed.problem}${option.secret ? '' : `, not '${first.text}'`}`);
  return option.default;
}

interface Found {
  /** What somebody has to mend: the variable, or the file it names. */
  readonly name: string;
  readonly text: string;
}

/** An empty variable counts as unset, as Compose files and shells produce them for absent values. */
function readText(name: string, option: Option<unknown>, environment: Environment, problems: string[]): Found | undefined {
  const direct = environment[name];
  if (direct !== undefined && direct !== '') return { name, text: direct };
  const path = option.secret ? environment[`${name}_FILE`] || findCredential(name, environment) : undefined;
  if (path === undefined) return undefined;
  try {
    const text = readFileSync(path, 'utf8').trim();
    if (text !== '') return { name: `${name}_FILE (${path})`, text };
    problems.push(`${name}_FILE names a file that is empty: ${path}`);
    return undefined;
  } catch (error) {
    problems.push(`${name}_FILE cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`);
    return undefined;
  }
}

/** What systemd hands to a unit (`LoadCredential=PYTHON3_SIGNING_KEY:…`, systemd.exec(5)): files named like the settings. */
function findCredential(name: string, environment: Environment): string | undefined {
  const folder = environment['CREDENTIALS_DIRECTORY'];
  const path = folder ? join(folder, name) : undefined;
  return path !== undefined && existsSync(path) ? path : undefined;
}

function crossProblems(config: Config): string[] {
  const problems: string[] = [];
  const atMost = (low: keyof Config, high: keyof Config): void => {
    if ((config[low] as number) > (config[high] as number)) {
      problems.push(`${optionTable[low].name} must not be above ${optionTable[high].name}`);
    }
  };
  atMost('poolMin', 'poolMax');
  atMost('timeoutSeconds', 'timeoutCeilingSeconds');
  atMost('maxMemoryMb', 'memoryCeilingMb');
  atMost('maxCpuSeconds', 'cpuCeilingSeconds');
  atMost('alertPoolHighPercent', 'alertPoolCriticalPercent');
  if (config.lanes.length === 0) problems.push('PYTHON3_LANES must name at least one lane');
  if (config.adminApiKey !== '' && config.adminApiKey === config.developerApiKey) {
    problems.push('PYTHON3_ADMIN_APIKEY and PYTHON3_DEVELOPER_APIKEY must differ');
  }
  problems.push(...tlsProblems(config));
  return problems;
}

function tlsProblems({ redisTlsCa, redisTlsCert, redisTlsKey }: Config): string[] {
  if ((redisTlsCert === '') !== (redisTlsKey === '')) return ['REDIS_TLS_CERT and REDIS_TLS_KEY must be set together'];
  const read = (path: string): Buffer | undefined => (path === '' ? undefined : readFileSync(path));
  try {
    createSecureContext({ ca: read(redisTlsCa), cert: read(redisTlsCert), key: read(redisTlsKey) });
    return [];
  } catch (error) {
    return [
      `the files of REDIS_TLS_CA, REDIS_TLS_CERT and REDIS_TLS_KEY cannot be used (${(error as NodeJS.ErrnoException).code ?? 'no PEM'})`,
    ];
  }
}

function sortUnknownNames(environment: Environment): { nearMisses: string[]; unknown: string[] } {
  const nearMisses: string[] = [];
  const unknown: string[] = [];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('PYTHON3_') || knownNames.has(name)) continue;
    const meant = [...knownNames].find((known) => isNearMiss(name, known));
    if (meant === undefined) unknown.push(name);
    else nearMisses.push(`${name} is not a setting; did you mean ${meant}?`);
  }
  return { nearMisses, unknown };
}
