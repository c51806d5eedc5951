import { expect, it } from '@jest/globals';
import type { ClusterReading, LaneReading, RunningReading, WindowReading, WorkerReading } from './cluster-reading';
import { RateMeter } from './rate-meter';
import { renderTop } from './render-top';
import type { TopView } from './top-view';
import { formatLine } from './styled-line';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const none = { count: 0, p50: 0, p95: 0 };
const aWindow: WindowReading = { perMinute: 600, failureShare: 0.25, queuedMs: none, runMs: { count: 9, p50: 1.25, p95: 2_500 } };
const aLane = (lane: string, waiting = 0): LaneReading => ({
  lane,
  workers: 1,
  waiting,
  delayed: 0,
  active: 2,
  oldestWaitingMs: 90_000,
  lastFiveMinutes: aWindow,
});
const aWorker = (id: string): WorkerReading => ({
  id,
  level: 'B',
  lanes: ['default'],
  draining: false,
  inUse: 3,
  max: 6,
  waiting: 0,
  finished: 40,
  failed: 2,
  cpuShare: 0.85,
  memoryUsedBytes: 3 * 2 ** 30,
  memoryTotalBytes: 4 * 2 ** 30,
});
const aJob = (id: string, owner = 'key-of-line-7'): RunningReading => ({
  id, owner, kind: 'exec', mode: 'admin', lane: 'default', worker: 'node-a-1', startedAt: NOW - 90_000, isCancelled: false,
}); // prettier-ignore
const aReading = (changes: Partial<ClusterReading> = {}): ClusterReading => ({
  problems: [],
  health: { status: 'ok', reasons: [], redisWritable: true, breaker: 'closed', isolationLevel: 'B', version: '1' },
  summary: { readAt: NOW, accepted: 1_300, open: 3, finished: 1_297, succeeded: 1_200, failed: 90, notRun: 7, waiting: 2, lastMinute: aWindow, lastFiveMinutes: aWindow, slotsInUse: 6, slotsMax: 12 },
  lanes: [aLane('default'), aLane('vision', 7)],
  workers: [aWorker('node-b-1'), aWorker('node-a-1')],
  alerts: [],
  running: [],
  ...changes,
}); // prettier-ignore
const aView = (changes: Partial<ClusterReading> = {}, rest: Partial<TopView> = {}): TopView => ({
  url: 'http://127.0.0.1:8311',
  now: NOW,
  reading: aReading(changes),
  perSecond: 12.34,
  ...rest,
});
const print = (view: TopView, columns = 200, rows = 60): string[] =>
  renderTop(view, { columns, rows }).map((line) => formatLine(line, columns, false).trimEnd());

it('shows rates, outcomes, times and slots', () => {
  const text = print(aView()).join('\n');
  for (const part of ['12.3/s now', '10.0/s in 1 min', 'waiting 2', 'succeeded 1,200', 'failed 90', '25.0 %', 'p50 1.3 ms  p95 2.5 s', 'queue p50 –', '6 of 12 in use', 'isolation B'])
    expect(text).toContain(part);
}); // prettier-ignore

it('lists the lanes with most waiting jobs first, and worker nodes by name, with bars', () => {
  const lines = print(aView());
  const lanes = lines.filter((line) => /^(default|vision) /.test(line));
  expect(lanes.map((line) => line.split(' ')[0])).toEqual(['vision', 'default']);
  expect(lanes[0]).toMatch(/ 7 +2 min/);
  expect(lines.filter((line) => line.startsWith('node-')).map((line) => line.split(' ')[0])).toEqual(['node-a-1', 'node-b-1']);
  expect(lines.find((line) => line.startsWith('node-a-1'))).toContain('[||||||||||          ]');
});

it('lists firing alerts above all else, critical ones first', () => {
  const alert = { subject: 'vision', state: 'firing', message: 'why', startedAt: NOW - 180_000 };
  const lines = print(aView({ alerts: [{ ...alert, name: 'QUEUE_AGE_HIGH', severity: 'WARNING' }, { ...alert, name: 'LANE_WITHOUT_WORKER', severity: 'CRITICAL' }] }));
  const [first, second, third] = ['LANE_WITHOUT_WORKER', 'QUEUE_AGE_HIGH', 'LANE '].map((name) => lines.findIndex((line) => line.startsWith(name) && !line.startsWith('LANE_W', name === 'LANE ' ? 0 : 9)));
  expect([first! > 0, first! < second!, second! < third!]).toEqual([true, true, true]);
  expect(lines[first!]).toContain('3 min');
}); // prettier-ignore

it('says that the API cannot be reached, since when, and keeps the last known figures', () => {
  const view = aView(
    { problems: ['http://127.0.0.1:8311 cannot be reached: ECONNREFUSED'] },
    { unreachableSince: NOW - 12_000, perSecond: undefined },
  );
  const text = print(view).join('\n');
  expect(text).toContain('unreachable');
  expect(text).toContain('cannot be reached: ECONNREFUSED (for 12.0 s; figures are the last known)');
  expect(text).toContain('succeeded 1,200');
});

it('says that Redis takes no writes, and how the breaker stands', () => {
  const health = { status: 'degraded', reasons: [], redisWritable: false, breaker: 'open', isolationLevel: 'B', version: '1' };
  expect(print(aView({ health })).join('\n')).toContain('Redis takes no writes; the breaker is open');
});

it.each([[80, 24], [40, 10], [20, 5], [1, 1], [300, 100]])('fits into a terminal of %i × %i, with hundreds of lanes and nodes', (columns, rows) => {
  const many = { lanes: Array.from({ length: 300 }, (_, index) => aLane(`lane-${index}`)), workers: Array.from({ length: 300 }, (_, index) => aWorker(`node-${index}`)) };
  const lines = print(aView(many), columns, rows);
  expect(lines.length).toBeLessThanOrEqual(rows);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
  if (rows >= 24) expect(lines.filter((line) => /… and \d+ more/.test(line))).toHaveLength(2);
}); // prettier-ignore

/** Names that would move the cursor, set the title, paste, ring, hide, turn the direction of writing, or start a line. */
const HOSTILE = [
  '\u001b[2J\u001b[H', '\u001b]0;owned\u0007', '\u009b31m', '\u001bP+q\u001b\\', 'a\rb\nc', '\u202egnp.exe', '\u200bzero', '\ud800', '\u0000\u007f\u0085', '名前', '🙂', 'e\u0301',
]; // prettier-ignore

it.each(HOSTILE.map((name) => [JSON.stringify(name), name]))('a name such as %s reaches the terminal as harmless text', (_, name) => {
  const alert = { name, subject: name, severity: name, state: name, message: name, startedAt: NOW };
  const reading = { problems: [name], health: { status: name, reasons: [name], redisWritable: false, breaker: name, isolationLevel: name, version: name }, lanes: [aLane(name)], workers: [{ ...aWorker(name), lanes: [name], level: name }], alerts: [alert], running: [{ ...aJob(name, name), kind: name, mode: name, lane: name, worker: name }] };
  const view = aView(reading, { url: name, warning: name });
  for (const colours of [true, false])
    for (const line of renderTop(view, { columns: 120, rows: 50 })) {
      const text = formatLine(line, 120, colours);
      // Colours of ours are all there is.
      // eslint-disable-next-line no-control-regex
      expect(text.replace(/\u001b\[(?:1|2|1;31|33|32|1;7)m|\u001b\[0m/g, '')).toMatch(/^[\u0020-\u007e\u00a0-\u024f\u2013\u2026]*$/u);
    }
}); // prettier-ignore

it('letters of European languages stay as they are', () => {
  expect(formatLine([{ text: 'Füllstand Łódź Ωmega Насос' }], 80, false)).toBe('Füllstand Łódź Ωmega Насос');
});

it('a rate is what came in the last seconds, and begins anew with another store', () => {
  const meter = new RateMeter();
  expect(meter.add(0, 100)).toBeUndefined();
  expect(meter.add(1_000, 150)).toBe(50);
  for (let second = 2; second <= 20; second += 1) meter.add(second * 1_000, 150);
  expect(meter.add(21_000, 150)).toBe(0);
  // Two readings of one moment: nothing new is known.
  expect(meter.add(21_000, 150)).toBe(0);
  expect(meter.add(22_000, 10)).toBeUndefined();
  expect(meter.add(23_000, 20)).toBe(10);
});

it('shows whose jobs run and for how long, which one is marked, what nodes use, and the severity of alerts', () => {
  const alert = { name: 'POOL_BUSY', subject: 'vision', severity: 'CRITICAL', state: 'firing', message: 'x', startedAt: NOW - 5_000 };
  const lines = print(aView({ running: [aJob('default.1'), aJob('default.2', 'another')], alerts: [alert] }, { marked: 'default.2' }));
  expect(lines.find((line) => line.includes('default.1'))).toMatch(/^ {2}default\.1 +2 min key-of-line-7 +exec +admin +default +node-a-1/);
  expect(lines.find((line) => line.includes('default.2'))).toMatch(/^> default\.2 +2 min another /);
  expect(lines.find((line) => line.startsWith('node-a-1'))).toMatch(/ 85 % +3\.0\/4\.0 GiB /);
  expect(lines.find((line) => line.startsWith('POOL_BUSY'))).toMatch(/^POOL_BUSY +CRITICAL vision /);
});

it('says why the cluster is degraded, what is asked, and what the keys do', () => {
  const health = { status: 'degraded', reasons: ['No worker node is up.'], redisWritable: true, breaker: 'closed', isolationLevel: 'B', version: '1' };
  expect(print(aView({ health }))[1]).toBe('No worker node is up.');
  expect(print(aView({}, { note: 'Cancel default.1 of x? y: yes' }), 80, 12).at(-1)).toBe('Cancel default.1 of x? y: yes');
  expect(print(aView({}, { showsHelp: true })).join('\n')).toMatch(/c +cancel the job that is marked; asks first/);
}); // prettier-ignore
