import {
  BASE_ENVIRONMENT,
  isSharedProgram,
  quarantineIdOf,
  type BreachStatus,
  type QuarantineEvidence,
  type QuarantineKey,
} from '@python3-cluster/shared';
import CircuitBreaker from 'opossum';

export interface SuspectsOptions {
  /** Breaches within the window that quarantine a program, if they are over half of its runs. */
  readonly breaches: number;
  readonly windowMs: number;
  readonly maxSuspects?: number;
  readonly maxPerOwner?: number;
}

/** A program that has earned its quarantine. */
export interface Conviction {
  readonly key: QuarantineKey;
  readonly breaches: number;
  readonly lastStatus: BreachStatus;
  readonly lastJobId: string;
  readonly firstLine?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly workers: readonly string[];
}

interface Suspect {
  readonly key: QuarantineKey;
  /** opossum keeps the window and its counts. */
  readonly circuit: CircuitBreaker<[isBreach: boolean]>;
  /** Who and where: a program that callers share is only convicted by two of each. */
  readonly owners: Set<string>;
  readonly workers: Set<string>;
}

const WITNESSES = 2;
const MAX_SUSPECTS = 1_000;
const MAX_PER_OWNER = 100;
/** Names kept of those who saw breaches. */
const MAX_NAMES = 10;
const MAX_SEEN = 10_000;
/** Clean runs are reported in batches. At most this many of a batch are counted. */
const MAX_CLEAN = 100;

/**
 * The programs whose runs have lately broken limits, each with a circuit of its own. All worker nodes hear the same evidence and
 * come to the same end. Bounded in all and per owner, so that a caller with a million programs that crash forgets its own
 * suspects, and nobody else's.
 */
export class Suspects {
  private readonly options: SuspectsOptions;
  private readonly suspects = new Map<string, Suspect>();
  private readonly countByOwner = new Map<string | null, number>();
  private readonly seen = new Set<string>();

  constructor(options: SuspectsOptions) {
    this.options = options;
  }

  /** Whether the owner has a program whose clean runs count as well. */
  hasAny(owner: string): boolean {
    return this.countByOwner.size > 0 && (this.countByOwner.has(owner) || this.countByOwner.has(null));
  }

  isSuspect(owner: string, program: string): boolean {
    return keysOf(owner, program).some((key) => this.suspects.has(quarantineIdOf(key)));
  }

  get size(): number {
    return this.suspects.size;
  }

  /** Takes evidence in, each piece once. Answers whom it convicts; those are no suspects any more. */
  async hear(evidence: QuarantineEvidence): Promise<Conviction[]> {
    if (this.seen.has(evidence.id) || Date.now() - evidence.at > this.options.windowMs) return [];
    this.remember(evidence.id);
    const convictions: Conviction[] = [];
    for (const key of keysOf(evidence.owner, evidence.program)) {
      const conviction = await this.judge(key, evidence);
      if (conviction !== undefined) convictions.push(conviction);
    }
    return convictions;
  }

  /** Nothing is held against the program any more. */
  acquit(id: string): void {
    const suspect = this.suspects.get(id);
    if (suspect !== undefined) this.drop(id, suspect);
  }

  stop(): void {
    for (const [id, suspect] of [...this.suspects]) this.drop(id, suspect);
  }

  private async judge(key: QuarantineKey, { owner, worker, breach, count }: QuarantineEvidence): Promise<Conviction | undefined> {
    const id = quarantineIdOf(key);
    const suspect = this.suspects.get(id) ?? (breach === null ? undefined : this.suspect(id, key));
    if (suspect === undefined) return undefined;
    const { circuit, owners, workers } = suspect;
    for (let run = 0; run < (breach === null ? Math.min(count, MAX_CLEAN) : 1); run += 1)
      await circuit.fire(breach !== null).catch(() => undefined);
    if (breach === null) return undefined;
    // The Map is in the order in which they were last heard of.
    this.suspects.delete(id);
    this.suspects.set(id, suspect);
    add(owners, owner);
    add(workers, worker);
    const { failures, successes } = circuit.stats;
    if (failures < this.options.breaches || failures <= successes) return undefined;
    if (key.owner === null && (owners.size < WITNESSES || workers.size < WITNESSES)) return undefined;
    this.drop(id, suspect);
    const { status: lastStatus, jobId: lastJobId, ...known } = breach;
    return { key, breaches: failures, lastStatus, lastJobId, workers: [...workers], ...known };
  }

  private suspect(id: string, key: QuarantineKey): Suspect {
    const { maxSuspects = MAX_SUSPECTS, maxPerOwner = MAX_PER_OWNER } = this.options;
    if ((this.countByOwner.get(key.owner) ?? 0) >= maxPerOwner) this.dropOldest((other) => other.key.owner === key.owner);
    if (this.suspects.size >= maxSuspects) this.dropOldest(() => true);
    const suspect = { key, circuit: this.createCircuit(), owners: new Set<string>(), workers: new Set<string>() };
    this.suspects.set(id, suspect);
    this.countByOwner.set(key.owner, (this.countByOwner.get(key.owner) ?? 0) + 1);
    return suspect;
  }

  /** It never opens by itself: opossum's own threshold counts runs, ours counts breaches among them. */
  private createCircuit(): Suspect['circuit'] {
    const action = (isBreach: boolean): Promise<void> => (isBreach ? Promise.reject(new Error('breach')) : Promise.resolve());
    return new CircuitBreaker(action, {
      timeout: false,
      errorThresholdPercentage: 100,
      rollingCountTimeout: this.options.windowMs,
      rollingCountBuckets: 10,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
    });
  }

  private dropOldest(isMeant: (suspect: Suspect) => boolean): void {
    for (const [id, suspect] of this.suspects) {
      if (!isMeant(suspect)) continue;
      this.drop(id, suspect);
      return;
    }
  }

  private drop(id: string, { key, circuit }: Suspect): void {
    circuit.shutdown();
    this.suspects.delete(id);
    const left = (this.countByOwner.get(key.owner) ?? 1) - 1;
    if (left > 0) this.countByOwner.set(key.owner, left);
    else this.countByOwner.delete(key.owner);
  }

  private remember(evidenceId: string): void {
    this.seen.add(evidenceId);
    for (const oldest of this.seen) {
      if (this.seen.size <= MAX_SEEN) break;
      this.seen.delete(oldest);
    }
  }
}

/** Whom a run says something about: its caller's program, and, where callers share the program, everyone's. */
function keysOf(owner: string, program: string): QuarantineKey[] {
  const own = { owner, program, environment: BASE_ENVIRONMENT };
  return isSharedProgram(program) ? [own, { ...own, owner: null }] : [own];
}

function add(names: Set<string>, name: string): void {
  if (names.size < MAX_NAMES) names.add(name);
}
