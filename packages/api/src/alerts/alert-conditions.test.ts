import { describe, expect, it } from '@jest/globals';
import { ALERT_NAMES, alertDefinition } from '@python3-cluster/shared';
import { alertCases, lane, lanes, lastFiveMinutes, quiet, runs, thresholds, withP95, type AlertCase } from '../../test/alert-cases';
import { alertConditions, findAll, MOST_FINDINGS, type Standing } from './alert-conditions';
import type { AlertSignals } from './alert-signals';

/** Whole rows: Jest would put a callback where one is short. */
const whole = (rows: readonly AlertCase[]) => rows.map(([title, signals, before = []]) => [title, signals, before] as const);
const found = (signals: Partial<AlertSignals>, before: readonly Standing[] = []) => findAll({ ...quiet, ...signals }, thresholds, before);

it('there is a condition for each name of the table, and nothing is found where all is well', () => {
  expect(Object.keys(alertConditions).sort()).toEqual([...ALERT_NAMES].sort());
  expect(Object.keys(alertCases).sort()).toEqual([...ALERT_NAMES].sort());
  expect(found({})).toEqual([]);
});

describe.each(ALERT_NAMES)('%s', (name) => {
  it.each(whole(alertCases[name].fires))('fires: %s', (_title, signals, before) => {
    const findings = found(signals, before);
    expect(findings.map((finding) => finding.name)).toEqual([name]);
    // One about the cluster names nothing, the others what they are about.
    expect(findings[0]?.subject !== '').toBe(alertDefinition(name).subject !== null);
  });

  it.each(whole(alertCases[name].doesNot))('does not: %s', (_title, signals, before) => {
    expect(found(signals, before).map((finding) => finding.name)).not.toContain(name);
  });
});

it('the predecessor’s three speak its words', () => {
  const say = (signals: Partial<AlertSignals>) => found(signals).map(({ message }) => message);
  expect(say({ poolUtilization: 0.93 })).toEqual(['Pool utilization is critically high (93%). Consider increasing pool size.']);
  expect(say({ poolUtilization: 0.8 })).toEqual(['Pool utilization is high (80%). Monitor for performance impact.']);
  expect(say(lastFiveMinutes(runs(50, 50)))).toEqual(['Failure rate is high (50%). Check for script errors.']);
});

it('a threshold of 0 turns the objective off', () => {
  const signals = { ...quiet, ...lastFiveMinutes(withP95(100, 90_000)) };
  expect(findAll(signals, { ...thresholds, alertP95Ms: 0 }, [])).toEqual([]);
});

it('of one name there are never more than a hundred', () => {
  const many = Array.from({ length: 500 }, (_, index) => lane({ lane: `l-${index}`, waiting: 900 }));
  expect(found(lanes(...many))).toHaveLength(MOST_FINDINGS);
});

it('says one job and two jobs', () => {
  const say = (count: number) => [
    ...found(lanes(lane({ workers: 0, waiting: count }))), ...found({ quarantined: new Map([['key:a', count]]) }),
    ...findAll({ ...quiet, ...lanes(lane({ waiting: count })) }, { ...thresholds, queueMaxJobs: 1 }, []),
  ].map(({ message }) => message); // prettier-ignore
  expect(say(1)).toEqual([
    "No worker node serves lane 'line-7'; 1 job is not finished.", '1 program of key:a is quarantined.', "1 job waits in lane 'line-7'; at 1 callers are refused.",
  ]); // prettier-ignore
  expect(say(2)).toEqual([
    "No worker node serves lane 'line-7'; 2 jobs are not finished.", '2 programs of key:a are quarantined.', "2 jobs wait in lane 'line-7'; at 1 callers are refused.",
  ]); // prettier-ignore
});

it('names that no node or lane can have do not get into alerts', () => {
  const [finding] = found(lanes(lane({ lane: `x\n{"a":1} ${'y'.repeat(5_000)}`, workers: 0, waiting: 1 })));
  expect(finding?.subject).toMatch(/^[A-Za-z0-9._:-]{1,64}$/);
  expect(finding?.message).toMatch(/^[^\n]{1,300}$/);
});
