import type { Redis } from 'ioredis';
import { ClusterError } from '../errors/cluster-error';
import type { Logger } from '../logging/create-logger';
import { inspectRedis } from './inspect-redis';
import type { Durability, Finding } from './redis-requirements';

/** How long after a check that found no answer, or an unsuitable server, Redis is asked again. */
const LOOK_AGAIN_MS = 2_000;

/**
 * Whether this Redis may be trusted with jobs.
 *
 *   unchecked ──checked──▶ suitable ◀──┐
 *    ▲   ▲         └─────▶ unsuitable ─┴─ asked again every 2 s, as somebody may mend it
 *    │   └── connected anew: a failover may have brought another server
 *    └ start
 */
export type SuitabilityState = 'unchecked' | 'suitable' | 'unsuitable';

export interface SuitabilityOptions {
  /** The connection jobs go over. */
  readonly redis: Redis;
  readonly durability: Durability;
  readonly logger: Logger;
}

export class RedisSuitability {
  state: SuitabilityState = 'unchecked';
  private readonly options: SuitabilityOptions;
  private listener: (state: SuitabilityState) => void = () => undefined;
  private findings: readonly Finding[] = [];
  private checking: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;
  /** Grows with each connection: what was found on the last one says nothing about this one. */
  private epoch = 0;

  constructor(options: SuitabilityOptions) {
    this.options = options;
  }

  /** Checks now if Redis is connected, and whenever it is connected anew. */
  start(): void {
    const { redis } = this.options;
    redis.on('ready', () => this.connected());
    // Of a Cluster: a node that came, or came back.
    redis.on('+node', (node: Redis) => node.once('ready', () => redis.status === 'ready' && this.connected()));
    if (redis.status === 'ready') this.connected();
  }

  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }

  /** Resolves when what is connected now has been checked; at once if it has been, or if nothing is connected. */
  async settled(): Promise<void> {
    while (this.checking !== undefined) await this.checking;
  }

  /** Tells the state now, and each one that follows. */
  onChange(listener: (state: SuitabilityState) => void): void {
    this.listener = listener;
    listener(this.state);
  }

  /** Whether the connection stands that jobs go over. What was found on the last one says nothing while it does not. */
  get isConnected(): boolean {
    return this.options.redis.status === 'ready';
  }

  get problems(): readonly string[] {
    return this.findings.filter((finding) => finding.verdict === 'fail').map((finding) => finding.text);
  }

  /** @throws ClusterError REDIS_UNSUITABLE; QUEUE_UNAVAILABLE where Redis has not answered yet */
  async assertSuitable(): Promise<void> {
    if (this.state === 'suitable') return;
    await this.settled();
    if (this.state === 'unsuitable') throw this.refusal();
    if (this.state === 'unchecked') throw new ClusterError('QUEUE_UNAVAILABLE');
  }

  /** Every problem, and how to mend it, in one message. */
  refusal(): ClusterError {
    return new ClusterError(
      'REDIS_UNSUITABLE',
      `This Redis must not be used:\n${this.problems.map((problem) => `  - ${problem}`).join('\n')}`,
    );
  }

  private connected(): void {
    this.epoch += 1;
    this.enter('unchecked');
    this.check();
  }

  private check(): void {
    clearTimeout(this.timer);
    if (this.isStopped) return;
    const { epoch } = this;
    this.checking ??= this.inspect().finally(() => {
      this.checking = undefined;
      if (epoch !== this.epoch) return this.check();
      if (this.state === 'suitable' || this.isStopped) return;
      this.timer = setTimeout(() => this.check(), LOOK_AGAIN_MS);
      this.timer.unref();
    });
  }

  private async inspect(): Promise<void> {
    const { redis, durability, logger } = this.options;
    const { epoch } = this;
    if (redis.status !== 'ready') return;
    try {
      const findings = await inspectRedis(redis, durability);
      if (epoch === this.epoch) this.take(findings);
    } catch (error) {
      logger.debug({ error: String(error) }, 'Redis could not be checked');
    }
  }

  private take(findings: readonly Finding[]): void {
    const { logger } = this.options;
    const known = new Set(this.findings.map((finding) => finding.text));
    this.findings = findings;
    for (const { verdict, text } of findings) {
      if (known.has(text)) continue;
      if (verdict === 'warn') logger.warn({ redis: 'warning' }, text);
      if (verdict === 'fail') logger.error({ redis: 'unsuitable', errorCode: 'REDIS_UNSUITABLE' }, text);
    }
    this.enter(this.problems.length === 0 ? 'suitable' : 'unsuitable');
  }

  private enter(state: SuitabilityState): void {
    if (state === this.state) return;
    this.state = state;
    this.listener(state);
  }
}
