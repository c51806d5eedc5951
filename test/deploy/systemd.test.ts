import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { EXIT_CODES } from '@python3-cluster/shared';

const folder = join(__dirname, '..', '..', 'deploy', 'systemd');

/** Section → name → value, of a unit without repeated names. */
function readUnit(name: string): Record<string, Record<string, string>> {
  const unit: Record<string, Record<string, string>> = {};
  let section = '';
  for (const line of readFileSync(join(folder, `python3-cluster-${name}.service`), 'utf8').split('\n')) {
    section = /^\[(\w+)\]$/.exec(line)?.[1] ?? section;
    const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) (unit[section] ??= {})[key] = value;
  }
  return unit;
}

describe.each(['api', 'worker'])('the unit of %s', (name) => {
  const { Unit = {}, Service = {} } = readUnit(name);

  it('is not started again with settings that cannot work', () => {
    expect(Service['Restart']).toBe('on-failure');
    expect(Service['RestartPreventExitStatus']?.split(' ')).toContain(String(EXIT_CODES.usage));
  });

  it('is given up when it keeps ending: so many starts fit into the interval, pauses included', () => {
    const [interval, burst, pause] = [Unit['StartLimitIntervalSec'], Unit['StartLimitBurst'], Service['RestartSec']].map(Number);
    expect(burst).toBeGreaterThan(1);
    expect(interval).toBeGreaterThan(2 * (burst ?? 0) * (pause ?? 0));
  });
});
