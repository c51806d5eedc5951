import { setTimeout } from 'node:timers/promises';
import type { ReadStream, WriteStream } from 'node:tty';
import type { ClusterReading, RunningReading } from './cluster-reading';
import { RateMeter } from './rate-meter';
import { readCluster } from './read-cluster';
import { renderTop } from './render-top';
import type { TopView } from './top-view';
import { requestJson, type ApiAddress } from './request-json';
import { Screen } from './screen';
import { NO_KEYS, pressKey, splitKeys } from './top-keys';

export interface WatchOptions {
  readonly api: ApiAddress;
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly colours: boolean;
  readonly warning?: string;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

const REFRESH_MS = 1_000;
/** How long what came of a key stands there. */
const NOTE_MS = 5_000;

/**
 * Shows the cluster until somebody has seen enough: reads, draws, waits out the second. An API that cannot be reached is
 * said so, beside the last known figures, and asked again.
 */
export async function watchCluster({ api, input, output, colours, warning, signal }: WatchOptions): Promise<void> {
  const screen = new Screen(output, colours);
  const meter = new RateMeter();
  const keys = new AbortController();
  const ended = AbortSignal.any([signal, keys.signal]);
  let view: TopView | undefined;
  let pressed = NO_KEYS;
  let note: { readonly text: string; readonly until: number } | undefined;
  const draw = (): void => {
    if (view === undefined) return;
    const { asked, marked, showsHelp } = pressed;
    const told = note !== undefined && note.until > Date.now() ? note.text : undefined;
    screen.draw(renderTop({ ...view, marked, showsHelp, note: asked === undefined ? told : formatQuestion(asked) }, screen.size));
  };
  const cancel = async (job: RunningReading): Promise<void> => {
    const { fields, problem } = { problem: '', ...(await requestJson(api, `/api/v1/jobs/${encodeURIComponent(job.id)}`, ended, 'DELETE')) };
    note = { text: fields === undefined ? `not cancelled: ${problem}` : `${job.id} is cancelled`, until: Date.now() + NOTE_MS };
    draw();
  };
  const onKey = (typed: Buffer): void => {
    for (const key of splitKeys(typed.toString('utf8'))) {
      const { state, effect } = pressKey(pressed, key, view?.reading.running ?? []);
      pressed = state;
      if (effect?.do === 'end') return keys.abort();
      if (effect?.do === 'cancel') void cancel(effect.job);
    }
    draw();
  };
  if (input.isTTY) input.setRawMode(true).on('data', onKey);
  output.on('resize', draw);
  // The terminal has gone.
  output.on('error', () => keys.abort());
  screen.open();
  try {
    while (!ended.aborted) {
      const startedAt = Date.now();
      const reading = await readCluster(api, ended);
      if (ended.aborted) break;
      view = toView(reading, view, meter, { url: api.url, ...(warning !== undefined && { warning }) });
      draw();
      await setTimeout(Math.max(100, REFRESH_MS - (Date.now() - startedAt)), undefined, { signal: ended }).catch(() => undefined);
    }
  } finally {
    screen.close();
    output.off('resize', draw);
    if (input.isTTY) input.setRawMode(false).off('data', onKey).pause();
  }
}

const formatQuestion = ({ id, owner }: RunningReading): string => `Cancel ${id} of ${owner}? y: yes, any other key: no`;

type Fixed = Pick<TopView, 'url' | 'warning'>;

function toView(reading: ClusterReading, last: TopView | undefined, meter: RateMeter, fixed: Fixed): TopView {
  const now = Date.now();
  if (reading.health === undefined) {
    const lastReading = last?.reading ?? reading;
    return {
      ...fixed,
      now,
      reading: { ...lastReading, problems: reading.problems },
      perSecond: undefined,
      unreachableSince: last?.unreachableSince ?? now,
    };
  }
  const { summary } = reading;
  return { ...fixed, now, reading, perSecond: summary?.finished === undefined ? undefined : meter.add(summary.readAt, summary.finished) };
}
