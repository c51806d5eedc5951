import { ISOLATION_LEVELS, type WorkerHeartbeat } from '@python3-cluster/shared';

/** A heartbeat as a worker node writes it; undefined for anything else, which newer versions may write too. */
export function parseHeartbeat(text: string): WorkerHeartbeat | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isHeartbeat(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isHeartbeat(value: unknown): value is WorkerHeartbeat {
  if (!isObject(value)) return false;
  const { id, nodeName, lanes, level, isolation, sequence, python, pool, draining, host, signing } = value;
  return (
    typeof id === 'string' &&
    typeof nodeName === 'string' &&
    Array.isArray(lanes) &&
    lanes.every((lane) => typeof lane === 'string') &&
    ISOLATION_LEVELS.some((known) => known === level) &&
    isIsolation(isolation) &&
    Number.isInteger(sequence) &&
    typeof draining === 'boolean' &&
    isObject(python) &&
    typeof python['version'] === 'string' &&
    isPool(pool) &&
    isAbsentOr(isHost, host) &&
    isAbsentOr(isSigning, signing)
  );
}

const isAbsentOr = (isRight: (value: unknown) => boolean, value: unknown): boolean => value === undefined || isRight(value);

const isPool = (value: unknown): boolean =>
  isObject(value) && ['size', 'max', 'inUse', 'healthy', 'waiting'].every((name) => typeof value[name] === 'number');

function isIsolation(value: unknown): boolean {
  if (!isObject(value) || !isObject(value['layers']) || !isObject(value['reasons'])) return false;
  const { uid, namespaces, landlockAbi, seccomp } = value['layers'];
  const { reasons } = value;
  return (
    [uid, namespaces, seccomp].every((layer) => typeof layer === 'boolean') &&
    Number.isInteger(landlockAbi) &&
    ['uid', 'namespaces', 'landlock', 'seccomp'].every((name) => reasons[name] === null || typeof reasons[name] === 'string')
  );
}

const isHost = (value: unknown): boolean =>
  isObject(value) &&
  ['diskFreeBytes', 'diskTotalBytes', 'clockOffsetMs'].every((name) => typeof value[name] === 'number') &&
  ['memoryUsedBytes', 'memoryTotalBytes', 'cpuShare'].every((name) => ['number', 'undefined'].includes(typeof value[name]));

const isSigning = (value: unknown): boolean =>
  isObject(value) &&
  isKeyId(value['keyId']) &&
  Array.isArray(value['keyIds']) &&
  value['keyIds'].length <= MOST_KEYS &&
  value['keyIds'].every(isKeyId);
// Anybody with Redis can write a heartbeat.
const MOST_KEYS = 20;
const isKeyId = (value: unknown): boolean => typeof value === 'string' && /^[0-9a-f]{12}$/.test(value);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
