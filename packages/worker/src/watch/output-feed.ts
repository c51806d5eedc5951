import type { Redis } from 'ioredis';
import {
  listenOn,
  MAX_OUTPUT_MESSAGE_BYTES, OUTPUT_JOIN_MS, parseWatch, sealOutput, WATCH_LEASE_MS,
  type KeyRing, type Logger, type OutputMessage, type OutputWatch, type RedisKeys,
} from '@python3-cluster/shared'; // prettier-ignore
import type { OutputCapture } from '../workspaces/output-capture';
import { readNews, toReadable, type FinalOutput } from './read-news';

export interface OutputFeedOptions {
  /** None that locks are renewed over. */
  readonly redis: Redis;
  readonly keys: RedisKeys;
  readonly keyRing: KeyRing;
  readonly workerId: string;
  readonly lanes: readonly string[];
  readonly logger: Logger;
}

/** One attempt that runs here, and its output. */
interface WatchableRun {
  readonly jobId: string;
  readonly attempt: number;
  readonly output: WatchableOutput;
}

export interface WatchableOutput {
  readonly stdout: OutputCapture;
  readonly stderr: OutputCapture;
}

interface Held {
  readonly watch: OutputWatch;
  /** `performance.now()` after which it is forgotten. */
  until: number;
}

/** Watches held for one job, and for all jobs that do not run here: a few hundred bytes each, for a lease. */
const MOST_PER_JOB = 64;
const MOST_IDLE = 2_048;

/** A turn's messages at most, about: large content goes over the same connection. */
const TURN_BYTES = 4 * MAX_OUTPUT_MESSAGE_BYTES;

const NOTHING = { offset: 0, bytes: Buffer.alloc(0), truncated: false };

/**
 * Tells API replicas what jobs print while they run; theory of operation in `shared/src/redis/output-watch.ts`. A watch is
 * answered once, as soon as there is something its sender does not have: output, another attempt, or the end. All answers
 * go out in turns, `OUTPUT_JOIN_MS` apart at least and each of bounded size; a turn waits for the one before.
 */
export class OutputFeed {
  private readonly options: OutputFeedOptions;
  private readonly running = new Map<string, WatchableRun>();
  /** Job id → raw watch text → watch. Includes jobs that may start here later. */
  private readonly watches = new Map<string, Map<string, Held>>();
  private idleCount = 0;
  private turn: NodeJS.Timeout | undefined;
  private sweep: NodeJS.Timeout | undefined;
  private isPublishing = false;
  private isDue = false;
  private lastTurnAt = -Infinity;
  private turnCount = 0;

  constructor(options: OutputFeedOptions) {
    this.options = options;
  }

  /** Hears of watches through a subscriber that it shares. */
  listen(subscriber: Redis): void {
    const { keys, lanes, workerId, logger } = this.options;
    const channels = [...lanes.map((lane) => keys.watchChannel(lane)), keys.nodeWatchChannel(workerId)];
    listenOn(subscriber, { channels, onMessage: (text) => this.handle(text.toString()), logger });
  }

  stop(): void {
    clearTimeout(this.turn);
    clearInterval(this.sweep);
    this.watches.clear();
    this.running.clear();
  }

  /** Lets an attempt be watched while it runs. What it printed last is told at its end: another attempt may follow. */
  async during<T extends FinalOutput>(jobId: string, attempt: number, output: WatchableOutput, run: () => Promise<T>): Promise<T> {
    const watchable = { jobId, attempt, output };
    this.begin(watchable);
    try {
      const final = await run();
      this.tellLast(watchable, final);
      return final;
    } finally {
      this.end(watchable);
    }
  }

  /** The job's outcome is in its record. */
  ended(jobId: string): void {
    const held = this.watches.get(jobId);
    if (held === undefined) return;
    const replicaIds = new Set([...held.values()].map(({ watch }) => watch.replicaId));
    for (const key of [...held.keys()]) this.forget(jobId, key);
    for (const replicaId of replicaIds) {
      void this.publish(replicaId, { jobId, attempt: 0, ended: true, stdout: NOTHING, stderr: NOTHING });
    }
  }

  private begin(run: WatchableRun): void {
    this.running.set(run.jobId, run);
    const held = this.watches.get(run.jobId);
    if (held === undefined) return;
    this.idleCount -= held.size;
    this.attend(run);
  }

  /** Watches stay: who holds one is to hear of the outcome. */
  private tellLast({ jobId, attempt }: WatchableRun, { stdout, stderr }: FinalOutput): void {
    let bytes = 0;
    for (const { watch } of this.watches.get(jobId)?.values() ?? []) {
      const message = readNews({ jobId, attempt, output: { stdout: toReadable(stdout), stderr: toReadable(stderr) } }, watch.position);
      if (message === undefined || bytes >= TURN_BYTES) continue;
      bytes += message.stdout.bytes.length + message.stderr.bytes.length;
      void this.publish(watch.replicaId, message);
    }
  }

  private end(run: WatchableRun): void {
    run.output.stdout.onNews = run.output.stderr.onNews = undefined;
    if (this.running.get(run.jobId) !== run) return;
    this.running.delete(run.jobId);
    this.idleCount += this.watches.get(run.jobId)?.size ?? 0;
  }

  private handle(text: string): void {
    const watch = parseWatch(text);
    if (watch === undefined) return;
    const { jobId } = watch;
    const run = this.running.get(jobId);
    const held = this.watches.get(jobId) ?? new Map<string, Held>();
    const present = held.get(text);
    const until = performance.now() + WATCH_LEASE_MS;
    if (present !== undefined) present.until = until;
    else {
      if (held.size >= MOST_PER_JOB || (run === undefined && this.idleCount >= MOST_IDLE)) return;
      held.set(text, { watch, until });
      this.watches.set(jobId, held);
      if (run === undefined) this.idleCount += 1;
    }
    this.sweep ??= setInterval(() => this.forgetLapsed(), WATCH_LEASE_MS / 3);
    if (run !== undefined) this.attend(run);
  }

  private attend(run: WatchableRun): void {
    run.output.stdout.onNews = run.output.stderr.onNews = () => this.schedule();
    this.schedule();
  }

  private forget(jobId: string, key: string): void {
    const held = this.watches.get(jobId);
    if (!held?.delete(key)) return;
    const run = this.running.get(jobId);
    if (run === undefined) this.idleCount -= 1;
    if (held.size > 0) return;
    this.watches.delete(jobId);
    // Nobody is told of news until somebody asks again.
    if (run !== undefined) run.output.stdout.onNews = run.output.stderr.onNews = undefined;
  }

  private forgetLapsed(): void {
    const now = performance.now();
    for (const [jobId, held] of this.watches) {
      for (const [key, { until }] of held) if (until < now) this.forget(jobId, key);
    }
    if (this.watches.size > 0) return;
    clearInterval(this.sweep);
    this.sweep = undefined;
  }

  private schedule(): void {
    this.isDue = true;
    if (this.turn !== undefined || this.isPublishing) return;
    const waitMs = Math.max(0, this.lastTurnAt + OUTPUT_JOIN_MS - performance.now());
    this.turn = setTimeout(() => void this.take(), waitMs);
  }

  /** One turn: answers whom there is something for, jobs one after the other, up to the turn's bytes. */
  private async take(): Promise<void> {
    this.turn = undefined;
    this.isDue = false;
    // Away, its messages would wait with us; whoever watches asks again when it is back.
    if (this.options.redis.status !== 'ready') return;
    this.isPublishing = true;
    this.turnCount += 1;
    let bytes = 0;
    const sent: Promise<void>[] = [];
    for (const { run, key, watch } of this.heldInTurn()) {
      if (bytes >= TURN_BYTES) {
        this.isDue = true;
        break;
      }
      const message = readNews(run, watch.position);
      if (message === undefined) continue;
      this.forget(run.jobId, key);
      bytes += message.stdout.bytes.length + message.stderr.bytes.length;
      sent.push(this.publish(watch.replicaId, message));
    }
    await Promise.all(sent);
    this.isPublishing = false;
    this.lastTurnAt = performance.now();
    if (this.isDue) this.schedule();
  }

  /** Begins with another job each turn, so that one whose output is long does not keep the others waiting. */
  private heldInTurn(): { readonly run: WatchableRun; readonly key: string; readonly watch: OutputWatch }[] {
    const runs = [...this.running.values()].filter(({ jobId }) => this.watches.has(jobId));
    const first = runs.length === 0 ? 0 : this.turnCount % runs.length;
    return [...runs.slice(first), ...runs.slice(0, first)].flatMap((run) =>
      [...(this.watches.get(run.jobId) ?? [])].map(([key, { watch }]) => ({ run, key, watch })),
    );
  }

  private async publish(replicaId: string, message: Omit<OutputMessage, 'worker'>): Promise<void> {
    const { redis, keys, keyRing, workerId, logger } = this.options;
    const sealed = sealOutput(keyRing, { ...message, worker: workerId });
    try {
      await redis.publish(keys.outputChannel(replicaId), Buffer.concat([Buffer.from(`${message.jobId}\n`), sealed]));
    } catch (error) {
      logger.debug({ jobId: message.jobId, error: String(error) }, 'output not published; whoever watches asks again');
    }
  }
}
