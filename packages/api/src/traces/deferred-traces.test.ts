import { EventEmitter } from 'node:events';
import { expect, it } from '@jest/globals';
import { recordSpan, SPAN_KINDS, Tracing, type RecordedSpan } from '@python3-cluster/shared';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { DeferredTraces, MOST_KEPT } from './deferred-traces';

const spansOf = (name: string): RecordedSpan[] => [recordSpan(name, SPAN_KINDS.server, undefined, 0)];

function create(): { readonly deferred: DeferredTraces; readonly hear: (jobId: string) => void; readonly exported: string[] } {
  const exported: string[] = [];
  const sink = { export: (traceId: string, spans: readonly RecordedSpan[]) => exported.push(`${traceId} ${spans[0]?.name}`) };
  const config = { tracesSampler: 'always_off', tracesSamplerRatio: 0, traceFailedPerSecond: 0 } as const;
  const subscriber = Object.assign(new EventEmitter(), { status: 'wait' }) as unknown as Redis;
  const deferred = new DeferredTraces({ subscriber, channel: 'c', tracing: new Tracing(sink, config), logger: pino({ level: 'silent' }) });
  deferred.start();
  return { deferred, hear: (jobId) => void subscriber.emit('messageBuffer', Buffer.from('c'), Buffer.from(jobId)), exported };
}

it('exports what was kept when its job is announced, once, whichever comes first', () => {
  const { deferred, hear, exported } = create();
  deferred.keep('a', 't1', spansOf('first'));
  expect(exported).toEqual([]);
  for (let time = 0; time < 2; time += 1) hear('a');
  hear('b');
  deferred.keep('b', 't2', spansOf('second'));
  hear('nobody’s');
  expect(exported).toEqual(['t1 first', 't2 second']);
});

it('keeps no more than it may, the newest, whatever is announced', () => {
  const { deferred, hear, exported } = create();
  for (let index = 0; index < MOST_KEPT + 10; index += 1) deferred.keep(`j${index}`, `t${index}`, spansOf('s'));
  for (let index = 0; index < 10_000; index += 1) hear(`forged-${index}`);
  hear('j9');
  hear('j10');
  expect(exported).toEqual(['t10 s']);
});
