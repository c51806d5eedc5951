import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { warnOfPorts } from './ephemeral-ports';
import { isNearMiss, nearestName } from './near-miss';
import type { Option } from './option';
import { defaultPoolMax } from './default-pool-max';
import { readMemory } from './memory-limit';
import { optionTable, SLOTS_LEAST, SLOTS_MOST, type Config } from './option-table';
import { throwProblems, type StartProblem } from './start-problems';

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

/** What a process cannot do without; others can. */
export type RequiredSetting = keyof typeof REQUIRED;

const REQUIRED = {
  redisUrl: { code: 'REDIS_REQUIRED', text: 'REDIS_URL is required: the Redis that all hosts use.' },
  signingKey: { code: 'SIGNING_KEY_REQUIRED', text: 'PYTHON3_SIGNING_KEY is required: the key that all hosts have.' },
} as const satisfies Partial<Record<keyof Config, StartProblem>>;

export interface ReadConfig extends LoadedConfig {
  /** Where there are any, `config` has defaults in place of what is wrong, and must not be used to start. */
  readonly problems: StartProblem[];
  /** Settings that have a valid value. */
  readonly isValid: (property: keyof Config) => boolean;
}

/**
 * Reads the whole configuration from an environment.
 * @throws ClusterError CONFIG_INVALID naming every problem at once; REDIS_REQUIRED, SIGNING_KEY_REQUIRED where only that is wrong
 */
export function loadConfig(environment: Environment, required: readonly RequiredSetting[] = []): LoadedConfig {
  const { config, warnings, secretFiles, problems } = readConfig(environment, required);
  throwProblems(problems);
  return { config, warnings, secretFiles };
}

/** The same for whoever has more to look at before it gives up, so that all of it is told together. */
export function readConfig(environment: Environment, required: readonly RequiredSetting[] = []): ReadConfig {
  const texts: string[] = [];
  const invalid = new Set<keyof Config>();
  const values: Partial<Record<keyof Config, unknown>> = {};
  for (const [property, option] of options) {
    const before = texts.length;
    values[property] = Object.freeze(readOption(option, environment, texts));
    if (texts.length > before) invalid.add(property);
  }
  if (!isSet(optionTable.poolMax, environment)) values.poolMax = derivePoolMax(values as Config);
  const config = Object.freeze(values) as Config;
  texts.push(...crossProblems(config));
  const secretFiles = [...findSecretFiles(environment), config.redisTlsKey].filter(Boolean);
  const { nearMisses, unknown } = sortUnknownNames(environment);
  texts.push(...nearMisses);
  const missing = required.filter((property) => config[property] === '' && !invalid.has(property)).map((property) => REQUIRED[property]);
  const problems: StartProblem[] = [...texts.map((text) => ({ code: 'CONFIG_INVALID' as const, text })), ...missing];
  const warnings = unknown.map(({ name, meant }) => ignoredName(name, meant));
  if (config.drainSeconds < config.timeoutSeconds)
    warnings.push(
      `PYTHON3_DRAIN_SECONDS (${config.drainSeconds}) is below PYTHON3_TIMEOUT_SECONDS (${config.timeoutSeconds}): a stop ends jobs that had time left`,
    );
  warnings.push(...warnOfPorts({ [optionTable.port.name]: config.port, [optionTable.workerMetricsPort.name]: config.workerMetricsPort }));
  return { config, warnings, secretFiles, problems, isValid: (property) => !invalid.has(property) };
}

const isSet = ({ name, aliases = [] }: Option<unknown>, environment: Environment): boolean =>
  [name, ...aliases].some((known) => (environment[known] ?? '') !== '');

/** By what the host, or the unit or container on it, has. */
function derivePoolMax({ maxMemoryMb, poolMin }: Config): number {
  const host = { cores: availableParallelism(), memoryBytes: readMemory().totalBytes, maxMemoryMb };
  return defaultPoolMax(host, Math.max(SLOTS_LEAST, poolMin), SLOTS_MOST);
}

/** Of a file of our own, whatever is like a setting is one that was misspelt: also where it does not begin with `PYTHON3_`. */
export function warnOfNames(names: readonly string[]): string[] {
  return names
    .filter((name) => !knownNames.has(name) && !name.startsWith('PYTHON3_'))
    .flatMap((name) => {
      const meant = nearestName(name, [...knownNames]);
      return meant === undefined ? [] : [ignoredName(name, meant)];
    });
}

const ignoredName = (name: string, meant: string | undefined): string =>
  `${name} is not a setting of this version and is ignored${meant === undefined ? '' : `; did you mean ${meant}?`}`;

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

/**
 * An empty variable counts as unset, as Compose files and shells produce them for absent values. Around a secret white space and
 * line ends are none of it, wherever it comes from: else the same key would be another one by its file and by its variable.
 */
function readText(name: string, option: Option<unknown>, environment: Environment, problems: string[]): Found | undefined {
  const given = environment[name];
  const direct = option.secret ? given?.trim() : given;
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
  const formats = [config.alertWebhookFormat, config.alertWebhook2Format, config.alertWebhook3Format];
  if (formats.includes('pagerduty') && config.alertPagerdutyKey === '')
    problems.push('PYTHON3_ALERT_PAGERDUTY_KEY must be set for the webhook format pagerduty');
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

interface UnknownName {
  readonly name: string;
  readonly meant: string | undefined;
}

function sortUnknownNames(environment: Environment): { nearMisses: string[]; unknown: UnknownName[] } {
  const nearMisses: string[] = [];
  const unknown: UnknownName[] = [];
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('PYTHON3_') || knownNames.has(name)) continue;
    const meant = nearestName(name, [...knownNames]);
    if (meant === undefined || !isNearMiss(name, meant)) unknown.push({ name, meant });
    else nearMisses.push(`${name} is not a setting; did you mean ${meant}?`);
  }
  return { nearMisses, unknown };
}
