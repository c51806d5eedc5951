import { describe, expect, it } from '@jest/globals';
import { ClusterError, OUTPUT_START, type OutputMessage, type OutputPosition } from '@python3-cluster/shared';
import { waitFor } from '../../../../test/support/wait-for';
import type { JobRecord } from '../dispatch/outcome-store';
import { JobReader, type EventSink } from './job-reader';
import { WatchedJob } from './watched-job';

interface ShownEvent {
  readonly event: string;
  readonly id: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- JSON, as a caller without types reads it
  readonly data: any;
}

/** Takes what is written until it is told to take no more. */
class Sink implements EventSink {
  canTake = true;
  hasEnded = false;
  private bytes = Buffer.alloc(0);
  /** Writes after which it takes no more. */
  room = Infinity;

  write(bytes: Buffer | string): void {
    this.bytes = Buffer.concat([this.bytes, Buffer.from(bytes as string)]);
    this.room -= 1;
    this.canTake = this.room > 0;
  }

  end(): void {
    this.hasEnded = true;
  }

  get events(): ShownEvent[] {
    return this.bytes.toString().split('\n\n').filter(Boolean).map((text) => {
      const [event, id, data] = text.split('\n').map((line) => line.slice(line.indexOf(' ') + 1));
      return { event: event ?? '', id: id ?? '', data: JSON.parse(data ?? '') as unknown };
    }); // prettier-ignore
  }

  of(name: string): ShownEvent['data'][] {
    return this.events.filter(({ event }) => event === name).map(({ data }) => data as unknown);
  }
}

const attemptsOf = (count: number): JobRecord['attempts'] =>
  Array.from({ length: count }, (_, index) => ({ number: index + 1, worker: `node-${index + 1}`, startedAt: 1 }));
const job = { id: 'default.1', traceparent: null } as JobRecord['job'];
const record = (state: JobRecord['state'], attempts: number): JobRecord => ({
  job,
  state,
  attempts: attemptsOf(attempts),
  parts: undefined,
});
function ended(attempts: number, stdout: string, stderr = ''): JobRecord {
  const outcome = { status: 'succeeded', worker: 'node-9', attempts: attemptsOf(attempts), timings: {}, limitsHit: [], error: null };
  return {
    ...record('finished', attempts),
    parts: { outcome, value: Buffer.alloc(0), stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) } as unknown as JobRecord['parts'],
  };
}
const message = (attempt: number, stdoutAt: number, stdout: string, [stderrAt, stderr] = [0, '']): OutputMessage => ({
  jobId: 'default.1', worker: `node-${attempt}`, attempt, ended: false,
  stdout: { offset: stdoutAt, bytes: Buffer.from(stdout), truncated: false },
  stderr: { offset: stderrAt, bytes: Buffer.from(stderr), truncated: false },
}); // prettier-ignore
const END: OutputMessage = { ...message(1, 0, ''), attempt: 0, ended: true };

function watch(): {
  watched: WatchedJob;
  asked: [OutputPosition, string | undefined][];
  current: { record: JobRecord | undefined | Error };
  looks: () => number;
} {
  const current: { record: JobRecord | undefined | Error } = { record: record('waiting', 0) };
  const asked: [OutputPosition, string | undefined][] = [];
  let looks = 0;
  const watched = new WatchedJob({
    readRecord: () => {
      looks += 1;
      return current.record instanceof Error ? Promise.reject(current.record) : Promise.resolve(current.record);
    },
    ask: (position, worker) => asked.push([position, worker]),
  });
  return { watched, asked, current, looks: () => looks };
}
const join = (watched: WatchedJob, first: JobRecord, position = OUTPUT_START): { sink: Sink; reader: JobReader } => {
  const sink = new Sink();
  const reader = new JobReader(sink, position);
  watched.add(reader, first);
  return { sink, reader };
};

describe('what readers are told', () => {
  it('takes each byte once, in order, and asks again from where it is for what is missing', () => {
    const { watched, asked } = watch();
    const { sink } = join(watched, record('waiting', 0));
    expect(asked).toEqual([[OUTPUT_START, undefined]]);
    watched.hear(message(1, 0, 'abc'));
    expect(asked.at(-1)).toEqual([{ attempt: 1, stdout: 3, stderr: 0 }, 'node-1']);
    watched.hear(message(1, 0, 'abc'));
    watched.hear(message(1, 1, 'bcd'));
    const before = asked.length;
    watched.hear(message(1, 9, 'j', [0, 'e']));
    expect(asked.slice(before)).toEqual([[{ attempt: 1, stdout: 4, stderr: 1 }, 'node-1']]);
    watched.hear(message(1, 4, 'ef'));
    expect(sink.of('stdout').map(({ offset, text }) => [offset, text])).toEqual([[0, 'abc'], [3, 'd'], [4, 'ef']]); // prettier-ignore
    expect(sink.of('stderr')).toEqual([{ attempt: 1, offset: 0, text: 'e' }]);
    expect(sink.events.at(-1)?.id).toBe('1.6.1');
  });

  it('says each change of state once; an older look does not take back what the node said', async () => {
    const { watched, current, looks } = watch();
    const { sink } = join(watched, record('waiting', 0));
    const look = async (found: JobRecord): Promise<void> => {
      const before = looks();
      current.record = found;
      watched.renew();
      expect(looks()).toBe(before + 1);
      // What the look found is learnt a turn later.
      await new Promise((resolve) => setImmediate(resolve));
    };
    watched.hear(message(1, 0, ''));
    await look(record('waiting', 0));
    await look(record('active', 1));
    await look({ ...record('active', 1), cancelRequestedAt: 7 });
    watched.hear(message(2, 0, 'again'));
    watched.hear(message(1, 0, 'late words of the first'));
    await look(record('active', 1));
    const said = sink
      .of('state')
      .map(({ state, attempt, worker, cancelRequestedAt }) => `${state} ${attempt} ${worker} ${cancelRequestedAt}`);
    expect(said).toEqual(['waiting 0 null null', 'active 1 node-1 null', 'active 1 node-1 7', 'active 2 node-2 7']);
    expect(sink.of('stdout')).toEqual([{ attempt: 2, offset: 0, text: 'again' }]);
  });

  it('takes the rest from the outcome, also of an attempt of which it had heard nothing', async () => {
    const { watched, current } = watch();
    const { sink } = join(watched, record('active', 1));
    const { sink: early } = join(watched, record('active', 1), { attempt: 1, stdout: 2, stderr: 1 });
    watched.hear(message(1, 0, 'abc', [0, 'e']));
    current.record = ended(1, 'abcdé', 'ef');
    watched.hear(END);
    await waitFor('the end', () => sink.hasEnded && early.hasEnded);
    expect(sink.of('stdout').map(({ text }) => text as string)).toEqual(['abc', 'dé']);
    expect(early.of('stdout').map(({ text }) => text as string)).toEqual(['c', 'dé']);
    expect(early.of('stderr').map(({ text }) => text as string)).toEqual(['f']);
    expect(sink.events.slice(-1)).toMatchObject([{ event: 'outcome', id: '1.6.2.end' }]);
    expect(watched.isUnwatched).toBe(true);

    const again = watch();
    const { sink: third } = join(again.watched, record('active', 1));
    again.watched.hear(message(1, 0, 'first'));
    again.current.record = ended(3, 'third');
    again.watched.renew();
    await waitFor('the end', () => third.hasEnded);
    expect(third.of('state').at(-1)).toMatchObject({ state: 'finished', attempt: 3 });
    expect(third.of('stdout').at(-1)).toEqual({ attempt: 3, offset: 0, text: 'third' });
  });

  it('stays while Redis is away, and ends where the record is gone or not believed', async () => {
    for (const [last, code] of [[undefined, 'JOB_NOT_FOUND'], [new ClusterError('OUTCOME_UNVERIFIED'), 'OUTCOME_UNVERIFIED']] as const) {
      const { watched, current, looks } = watch();
      const { sink } = join(watched, record('active', 1));
      current.record = new ClusterError('QUEUE_UNAVAILABLE');
      watched.renew();
      await waitFor('the look', () => looks() === 1);
      expect(sink.hasEnded).toBe(false);
      current.record = last;
      await waitFor('the end', () => {
        watched.renew();
        return sink.hasEnded;
      });
      expect(sink.events.at(-1)).toMatchObject({ event: 'gone', data: { error: { code } } });
    } // prettier-ignore
  });
});

describe('readers who are slow', () => {
  it('are passed over, keep their place, and go on from there', () => {
    const { watched, asked } = watch();
    const quick = join(watched, record('active', 1));
    const slow = join(watched, record('active', 1));
    watched.hear(message(1, 0, 'abc'));
    slow.sink.canTake = false;
    watched.hear(message(1, 3, 'def'));
    watched.hear(message(1, 6, 'ghi'));
    expect([quick.reader.position.stdout, slow.reader.position.stdout]).toEqual([9, 3]);
    const before = asked.length;
    slow.sink.canTake = true;
    watched.goOn(slow.reader);
    expect(asked.slice(before)).toEqual([[{ attempt: 1, stdout: 3, stderr: 0 }, 'node-1']]);
    watched.hear(message(1, 3, 'defghi'));
    expect(slow.sink.of('stdout').map(({ text }) => text as string)).toEqual(['abc', 'defghi']);
    expect(quick.sink.of('stdout').map(({ text }) => text as string)).toEqual(['abc', 'def', 'ghi']);
  });

  it('are asked for after those who are further, so many at once; who has come to one place is asked for once', () => {
    const { watched, asked } = watch();
    const readers = Array.from({ length: 20 }, (_, index) => {
      const sink = new Sink();
      sink.canTake = false;
      const reader = new JobReader(sink, { attempt: 1, stdout: index, stderr: 0 });
      watched.add(reader, record('active', 1));
      return { sink, reader };
    });
    expect(asked).toEqual([]);
    for (const { sink } of readers) sink.canTake = true;
    watched.renew();
    expect(asked.map(([{ stdout }]) => stdout)).toEqual([19, 18, 17, 16, 15, 14, 13, 12]);
    asked.length = 0;
    watched.renew();
    expect(asked).toEqual([]);
    watched.hear(message(1, 0, 'x'.repeat(30)));
    expect(asked).toEqual([[{ attempt: 1, stdout: 30, stderr: 0 }, 'node-1']]);
    expect(readers.every(({ reader }) => reader.position.stdout === 30)).toBe(true);
  });

  it('take a long outcome in parts, in between which its record is not held but read again', async () => {
    const { watched, current, looks } = watch();
    const text = 'é'.repeat(200_000);
    current.record = ended(1, text);
    const { sink, reader } = join(watched, record('active', 1));
    const quick = join(watched, record('active', 1)).sink;
    sink.room = 1;
    watched.hear(END);
    await waitFor('the end of the other', () => quick.hasEnded);
    expect(sink.hasEnded).toBe(false);
    const before = looks();
    for (let turn = 0; !sink.hasEnded; turn += 1) {
      sink.room = 2;
      sink.canTake = true;
      // Twice it comes back when the record is no longer held.
      if (turn === 1 || turn === 4) await new Promise((resolve) => setTimeout(resolve, 1_200));
      watched.goOn(reader);
      await waitFor('what it could take', () => !sink.canTake || sink.hasEnded);
    }
    expect(looks() - before).toBe(2);
    expect(
      sink
        .of('stdout')
        .map((data) => data.text as string)
        .join(''),
    ).toBe(text);
    expect(sink.events.at(-1)).toEqual(quick.events.at(-1));
    expect(watched.isUnwatched).toBe(true);
  });
});
