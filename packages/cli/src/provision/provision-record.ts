import { mkdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PythonProbe } from './probe-python';

/**
 * `<data>/provision.json`: what earlier starts learnt, so that the next one is quick. Losing it costs a probe.
 */
export interface ProvisionRecord {
  readonly format: 1;
  readonly pythonProbes: Readonly<Record<string, { readonly fingerprint: string; readonly probe: PythonProbe }>>;
  /** Python was found once: apt's lists need not be kept for it. */
  readonly pythonFound: boolean;
  /** bubblewrap could not be had: when that was, and why. */
  readonly bubblewrapMissing?: { readonly at: number; readonly reason: string };
}

const empty: ProvisionRecord = { format: 1, pythonProbes: {}, pythonFound: false };

export function readProvisionRecord(dataDirectory: string): ProvisionRecord {
  try {
    const record = JSON.parse(readFileSync(join(dataDirectory, 'provision.json'), 'utf8')) as ProvisionRecord;
    return record.format === 1 ? record : empty;
  } catch {
    return empty;
  }
}

/** Written only when something changed; a data directory that cannot be written costs time, not the start. */
export function updateProvisionRecord(dataDirectory: string, change: (record: ProvisionRecord) => ProvisionRecord): void {
  const before = readProvisionRecord(dataDirectory);
  const after = change(before);
  if (JSON.stringify(after) === JSON.stringify(before)) return;
  const temporary = join(dataDirectory, `provision.json.${process.pid}`);
  try {
    mkdirSync(dataDirectory, { recursive: true });
    writeFileSync(temporary, `${JSON.stringify(after, null, 2)}\n`);
    renameSync(temporary, join(dataDirectory, 'provision.json'));
  } catch {
    // found again next time
  }
}

/** Changes when the program behind a name does: an upgrade, another target of a link. */
export function fingerprintOf(file: string): string {
  const realFile = realpathSync(file);
  const { size, mtimeMs } = statSync(realFile);
  return `${realFile} ${size} ${mtimeMs}`;
}
