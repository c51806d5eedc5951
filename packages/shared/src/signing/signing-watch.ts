import { ClusterError } from '../errors/cluster-error';
import { within } from '../lifecycle/within';
import type { Logger } from '../logging/create-logger';
import { readSigningProbe, replaceSigningProbe, type ProbeReading, type ProbeTools } from './signing-probe';

export interface SigningWatchOptions extends ProbeTools {
  readonly logger: Logger;
  /** Refuses while it makes no sense to ask Redis. */
  readonly guard?: <T>(command: () => Promise<T>) => Promise<T>;
}

/** How often a process that runs looks whether the cluster's key is still one of its own. */
const LOOK_MS = 5_000;
const FIRST_LOOK_MS = 2_000;
const TRIES = 5;

/**
 *   unknown ──look──▶ fits ◀──look──▶ foreign
 *
 * `unknown`: Redis has not answered yet. `foreign`: the cluster signs with a key that this process does not have.
 */
export type SigningState = 'unknown' | 'fits' | 'foreign';

/** Whether this process has the cluster's signing key: looked at when it starts, and every five seconds after that. */
export class SigningWatch {
  state: SigningState = 'unknown';
  /** Of the cluster, by the probe. */
  clusterKeyId: string | undefined;
  private readonly options: SigningWatchOptions;
  private looking: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(options: SigningWatchOptions) {
    this.options = options;
  }

  /**
   * The first look, and then one every few seconds. Where Redis is away or hangs the first look comes later, before a job that does
   * not verify is judged. @throws ClusterError SIGNING_KEY_MISMATCH
   */
  async enter(): Promise<void> {
    const { redis, logger } = this.options;
    if (redis.status === 'ready') {
      await within(FIRST_LOOK_MS, this.look(true), 'Redis').catch((error: unknown) =>
        logger.debug({ error: String(error) }, 'signing probe'),
      );
    }
    if (this.isForeign) throw this.refusal();
    const look = (): void => void this.look(false).catch((error: unknown) => logger.debug({ error: String(error) }, 'signing probe'));
    redis.on('ready', look);
    this.timer = setInterval(look, LOOK_MS);
  }

  /** The cluster signs with a key that this process does not have. */
  get isForeign(): boolean {
    return this.state === 'foreign';
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** The state by a look that began after this was called: a job may come a moment after its key. Rejects with what Redis answers. */
  async now(): Promise<SigningState> {
    await this.looking?.catch(() => undefined);
    await this.look(false);
    return this.state;
  }

  refusal(): ClusterError {
    return new ClusterError('SIGNING_KEY_MISMATCH', mismatchMessage(this.options.keyRing.keyIds, this.clusterKeyId ?? 'unknown'));
  }

  private async look(isStart: boolean): Promise<void> {
    this.looking ??= this.lookNow(isStart).finally(() => (this.looking = undefined));
    await this.looking;
  }

  /** Only what cannot be a probe, and former keys at a start, are replaced: a process with the wrong key changes nothing. */
  private async lookNow(isStart: boolean): Promise<void> {
    const { keyRing, guard = (command) => command(), logger } = this.options;
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      const reading = await guard(() => readSigningProbe(this.options));
      if (reading.state === 'damaged')
        logger.error({ event: 'security', errorCode: 'RECORD_UNVERIFIED' }, 'the probe of the signing key was changed by somebody; it is written anew');
      const isFormer = isStart && reading.state === 'fits' && reading.keyId !== keyRing.currentKeyId;
      if (reading.state === 'fits' && !isFormer) return this.take(reading);
      if (reading.state === 'foreign' || (reading.state === 'absent' && this.state === 'foreign')) return this.take(reading);
      await guard(() => replaceSigningProbe(this.options, reading));
    }
    throw new Error('the probe of the signing key keeps changing');
  } // prettier-ignore

  private take({ state, keyId }: ProbeReading): void {
    this.clusterKeyId = keyId ?? this.clusterKeyId;
    const next = state === 'fits' ? 'fits' : 'foreign';
    const { keyRing, logger } = this.options;
    if (next === 'foreign' && this.state !== 'foreign')
      logger.error({ errorCode: 'SIGNING_KEY_MISMATCH', clusterKeyId: keyId, keyIds: keyRing.keyIds }, this.refusal().message);
    if (next === 'fits' && this.state === 'foreign') logger.info({ keyIds: keyRing.keyIds }, 'the cluster’s signing key is one of this process again');
    this.state = next;
  } // prettier-ignore
}

/** Says what is wrong and what to do, in the log, at the exit, and in `doctor`. Key ids tell nothing about keys. */
export const mismatchMessage = (keyIds: readonly string[], clusterKeyId: string): string =>
  `PYTHON3_SIGNING_KEY is not the cluster’s: this process has the key ${keyIds.join(' and ')}, the cluster signs with ${clusterKeyId}. ` +
  'Give it the key that the other hosts have. During a rotation, name both keys: the other one in PYTHON3_SIGNING_KEYS. ' +
  'Where this key is to be the cluster’s from now on, run `python3-cluster adopt-signing-key` once.';
