import {
  defineProgramNotes, firstLineOf, OTHER_NAME, sliceProgram, writeProgramNote,
  type Job, type KeyRing, type Logger, type ProgramNote, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import type { Redis } from 'ioredis';

export interface ProgramNoterOptions {
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly logger: Logger;
  /** Shorter ones, for tests. */
  readonly writeEveryMs?: number;
}

/** After the outcome: only what is counted gets a note, and it is counted with its outcome. */
const WRITE_EVERY_MS = 1_000;
/** How long a program that was noted is not noted again. */
const FRESH_MS = 300_000;
const MOST_KNOWN = 2_000;
const MOST_PENDING = 200;
const TRIES = 3;

interface Pending {
  readonly lane: string;
  readonly note: ProgramNote;
  tries: number;
}

/** Notes by what people know the programs again that run here. A program costs nothing but a look into a Map once it is noted. */
export class ProgramNoter {
  private readonly options: ProgramNoterOptions;
  /** Lane, program, owner → when it was noted. In the order of their noting. */
  private readonly known = new Map<string, number>();
  private readonly pending = new Map<string, Pending>();
  private timer: NodeJS.Timeout | undefined;

  constructor(options: ProgramNoterOptions) {
    this.options = options;
    defineProgramNotes(options.redis);
  }

  /** Never fails. */
  async note(job: Job, payload: Buffer): Promise<void> {
    const { program, owner, lane, kind, labels = {} } = job;
    if (program === undefined || program === OTHER_NAME) return;
    const key = `${lane}\n${program}\n${owner}`;
    if (performance.now() - (this.known.get(key) ?? -Infinity) < FRESH_MS || this.pending.size >= MOST_PENDING) return;
    this.remember(key);
    const [code] = kind === 'call' ? [] : ((await sliceProgram(kind, payload)) ?? []);
    const firstLine = code === undefined ? '' : firstLineOf(code);
    const note: ProgramNote = { version: 1, program, owner, firstLine, labels, lastJobId: job.id, at: Date.now() };
    this.pending.set(key, { lane, note, tries: 0 });
    this.timer ??= setTimeout(() => void this.write(), this.options.writeEveryMs ?? WRITE_EVERY_MS).unref();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.pending.clear();
  }

  private async write(): Promise<void> {
    const { logger, writeEveryMs = WRITE_EVERY_MS } = this.options;
    for (const [key, entry] of [...this.pending]) {
      entry.tries += 1;
      try {
        const isKept = await writeProgramNote(this.options, entry.lane, entry.note);
        if (isKept || entry.tries >= TRIES) this.pending.delete(key);
        if (!isKept && entry.tries >= TRIES) this.known.delete(key);
      } catch (error) {
        logger.debug({ error: String(error) }, 'a program could not be noted');
        if (entry.tries >= TRIES) this.pending.delete(key);
      }
    }
    this.timer = this.pending.size === 0 ? undefined : setTimeout(() => void this.write(), writeEveryMs).unref();
  }

  private remember(key: string): void {
    this.known.delete(key);
    this.known.set(key, performance.now());
    for (const oldest of this.known.keys()) {
      if (this.known.size <= MOST_KNOWN) return;
      this.known.delete(oldest);
    }
  }
}
