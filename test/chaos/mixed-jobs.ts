/** One request of the mix. */
export interface MixedJob {
  /** What it is, for whoever reads that something did not end as it should. */
  readonly name: string;
  /** `jobs` is the modern surface; all others are the predecessor's routes, on which a caller waits. */
  readonly route: 'jobs' | 'exec' | 'eval' | 'call-module' | 'check-syntax';
  readonly body: Readonly<Record<string, unknown>>;
  readonly asAdmin: boolean;
  readonly waits: boolean;
  /** Whether its caller takes it back as soon as it is accepted. */
  readonly isCancelled: boolean;
  /** How it may end, its worker node's death aside. */
  readonly ends: readonly string[];
}

/** Of the first quarter two in five fail, later one in 33: the failure rate rises over 20 % and, in the end, falls below. */
const failsOften = (number: number, of: number): boolean => (number < of / 4 ? number % 5 < 2 : number % 33 === 0);

/** What comes seldom: every how many jobs, which of them, and what. */
const SELDOM: readonly (readonly [every: number, at: number, name: string, body: (number: number) => object, ...ends: string[]])[] = [
  [500, 7, 'out of memory', () => ({ code: 'x = [0] * 10**9', memoryMb: 64 }), 'out_of_memory'],
  // each a program of its own: one that crashes again and again is quarantined
  [500, 57, 'crash', (number) => ({ code: `import os\nos._exit(3)  # ${number}`, mode: 'admin' }), 'crashed'],
  [1000, 107, 'out of CPU time', () => ({ code: 'while flag: pass', variables: { flag: true }, cpuSeconds: 1 }), 'cpu_exceeded', 'timed_out'],
  [100, 13, 'out of time', () => ({ code: 'import time\ntime.sleep(20)', timeoutMs: 200 }), 'timed_out'],
  [100, 23, 'cancelled', () => ({ code: 'import time\ntime.sleep(20)' }), 'cancelled'],
  [200, 43, 'retried', () => ({ code: 'raise ValueError("again")', retryOn: ['failed'], attempts: 2, backoffMs: 100 }), 'failed'],
  [200, 53, 'soon too old', () => ({ code: 'result = 1', expiresInMs: 100 }), 'succeeded', 'expired'],
  [200, 63, 'delayed', () => ({ code: 'result = 1', delayMs: 500 }), 'succeeded'],
]; // prettier-ignore

type Draft = Pick<MixedJob, 'name' | 'route' | 'body'> & Partial<MixedJob>;

/** What most jobs are, by turns. */
const USUAL: readonly ((number: number) => Draft)[] = [
  (number) => ({ name: 'legacy exec', route: 'exec', body: { code: `result = ${number}` } }),
  (number) => ({ name: 'legacy eval', route: 'eval', body: { expression: 'a + 1', variables: { a: number } } }),
  (number) => ({ name: 'legacy call', route: 'call-module', body: { module: 'math', function: 'sqrt', args: [number] } }),
  () => ({ name: 'fresh', route: 'jobs', body: { code: 'print("out")\nresult = [1, 2]' }, waits: true }),
  () => ({ name: 'warm', route: 'jobs', body: { code: 'import statistics\nresult = 1', isolation: 'warm' }, waits: true }),
  () => ({ name: 'warm, not waited for', route: 'jobs', body: { code: 'import json\nresult = 1', isolation: 'warm' } }),
  () => ({ name: 'not waited for', route: 'jobs', body: { code: 'result = 1' } }),
  () => ({ name: 'at most once', route: 'jobs', body: { code: 'result = 1', delivery: 'at-most-once' }, waits: true }),
  () => ({ name: 'slow', route: 'jobs', body: { code: 'import time\ntime.sleep(0.05)\nresult = 1' } }),
  (number) => ({ name: 'call', route: 'jobs', body: { module: 'math', function: 'factorial', args: [number % 20] }, waits: true }),
  () => ({ name: 'admin', route: 'jobs', body: { code: 'import os\nresult = os.getpid() > 0', mode: 'admin' } }),
]; // prettier-ignore

const RAISES = { code: 'raise ValueError("wrong")' };
const FAILING: readonly Draft[] = [
  { name: 'legacy failing', route: 'exec', body: RAISES },
  { name: 'failing', route: 'jobs', body: RAISES, waits: true },
  { name: 'failing, not waited for', route: 'jobs', body: RAISES },
  { name: 'failing, at most once', route: 'jobs', body: { ...RAISES, delivery: 'at-most-once' } },
];

/** The job of that number, of so many: each kind of end, surface, isolation and delivery, in fixed shares. */
export function createMixedJob(number: number, of: number): MixedJob {
  if (number % 200 === 33) return complete({ name: 'syntax check', route: 'check-syntax', body: { code: 'x =' } }, []);
  const seldom = SELDOM.find(([every, at]) => number % every === at);
  if (seldom !== undefined) {
    const [, , name, body, ...ends] = seldom;
    return complete({ name, route: 'jobs', body: body(number) as MixedJob['body'], isCancelled: name === 'cancelled' }, ends);
  }
  if (failsOften(number, of)) return complete(FAILING[number % FAILING.length] as Draft, ['failed']);
  return complete((USUAL[number % USUAL.length] as (typeof USUAL)[number])(number), ['succeeded']);
}

const complete = (draft: Draft, ends: readonly string[]): MixedJob => ({
  waits: draft.route !== 'jobs',
  isCancelled: false,
  ...draft,
  asAdmin: draft.body['mode'] === 'admin',
  ends,
});
