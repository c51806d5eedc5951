import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { createLogger, loadConfig, type JobMode } from '@python3-cluster/shared';
import { findBubblewrap } from '../../packages/cli/src/provision';
import { createIsolation, type Isolation } from '../../packages/worker/src/sandbox/isolation';
import { StagedRunner } from '../contracts/staged-runner';
import { itIf } from '../support/optional';
import { ATTACKS, type AttackProgram, type Layer } from './attack-programs';
import { Battlefield, type Fight } from './battlefield';
import { WORKSPACES } from './lodgings';
import type { World } from './worlds';

/** Dozens of programs, some of which take all the time that a busy host does not give to others. */
const GROUP_MS = 240_000;

export type Chosen = readonly [attack: AttackProgram, mode: JobMode];

const isRoot = process.getuid?.() === 0;
const GROUPS = [...new Set(ATTACKS.map(({ group }) => group))];
/** Programs that take their time, at once: one, as a look at what it holds may be late where many share the cores. */
const BESIDE = 1;

export class Siege {
  private readonly runner = new StagedRunner(0);
  isolation!: Isolation;

  async start(): Promise<void> {
    chmodSync(this.runner.base, 0o711);
    await this.runner.start();
    const { python, directory } = this.runner;
    const { config } = loadConfig({ PYTHON3_ISOLATION: 'D', PYTHON3_MAX_SCRATCH_MB: '4' });
    const logger = createLogger('worker', 'silent');
    const bubblewrap = await findBubblewrap(join(__dirname, '..', '..', '.data'));
    this.isolation = await createIsolation({ config, python, directory, workspaces: WORKSPACES, bubblewrap, logger });
  }

  async stop(): Promise<void> {
    this.isolation.release();
    await this.runner.stop();
  }

  /** Whether this host and user have every layer of the world. */
  offers({ layers }: World): boolean {
    const { uid, namespaces, landlockAbi, seccomp } = this.isolation.layers;
    const has: Partial<Record<Layer, boolean>> = { uid, namespaces, landlock: landlockAbi > 0, seccomp };
    return [...layers].every((layer) => has[layer] ?? true);
  }

  /** What of the world's layers stops it on this host; undefined where an older kernel makes that uncertain. */
  stoppersOf([attack, mode]: Chosen, { layers }: World): readonly string[] | undefined {
    const stoppers = attack.stoppedBy[mode].filter((layer) => layers.has(layer));
    if (this.isolation.layers.landlockAbi >= attack.landlockAbi) return stoppers;
    const others = stoppers.filter((layer) => layer !== 'landlock');
    return others.length > 0 ? others : undefined;
  }
}

/** One test for each class of attacks in a world. */
export function describeWorld(siege: Siege, world: World, chosen: readonly Chosen[], judge: (chosen: Chosen, fight: Fight) => void): void {
  describe(world.title, () => {
    let field: Battlefield;
    const modes = [...new Set(chosen.map(([, mode]) => mode))];
    const canTest = isRoot || world.user !== 'root';
    beforeAll(async () => {
      if (!canTest || !siege.offers(world)) return;
      field = new Battlefield(world, (mode) => siege.isolation.sandboxFor(mode), siege.isolation.templateUids);
      await field.start(modes);
    });
    afterAll(() => field?.stop());
    for (const group of GROUPS) {
      const ofGroup = chosen.filter(([attack]) => attack.group === group && (attack.user ?? world.user) === world.user);
      if (ofGroup.length === 0) continue;
      itIf(canTest, 'this takes root')(
        `${group} (${ofGroup.length})`,
        async () => {
          // A layer that this host does not have is named where the worker node starts, not here.
          if (!siege.offers(world)) return;
          for (const one of ofGroup.filter(([attack]) => !attack.isSlow)) judge(one, await field.fight(...one));
          const slow = ofGroup.filter(([attack]) => attack.isSlow);
          await Promise.all(
            Array.from({ length: BESIDE }, async () => {
              for (let one = slow.shift(); one !== undefined; one = slow.shift()) judge(one, await field.fight(...one));
            }),
          );
        },
        GROUP_MS,
      );
    }
  });
}

/** For messages. */
export const nameOf = ([attack, mode]: Chosen): string => `${mode}: ${attack.name}`;

interface Choice {
  readonly modes: readonly JobMode[];
  /** Mode of those that take their time, where they have it; they run in one mode. Without: none of them. */
  readonly slowIn?: JobMode;
  /** Whether those that end with the same reading of the same file once Python is out of the way. */
  readonly ofLanguage?: boolean;
  /** In the first of their modes only. */
  readonly onceEach?: boolean;
}

export function chooseAttacks({ modes, slowIn, ofLanguage = true, onceEach = false }: Choice): Chosen[] {
  return ATTACKS.flatMap((attack) => {
    const isWanted = attack.isSlow ? slowIn !== undefined : ofLanguage || !attack.isOfLanguage;
    if (!isWanted) return [];
    const possible = modes.filter((mode) => attack.modes.includes(mode));
    const first = attack.isSlow && slowIn !== undefined && possible.includes(slowIn) ? slowIn : possible[0];
    const chosen = attack.isSlow || onceEach ? possible.filter((mode) => mode === first) : possible;
    return chosen.map((mode) => [attack, mode] as const);
  });
}

export function assertReached(chosen: Chosen, { reached, report }: Fight): void {
  // For the message of a failure.
  const why = [report.killReason, report.exit, report.answer?.result.error?.message];
  expect([nameOf(chosen), reached, why]).toEqual([nameOf(chosen), expect.arrayContaining([chosen[0].reaches]), why]);
}

export function assertStopped(chosen: Chosen, { reached }: Fight): void {
  expect([nameOf(chosen), reached]).toEqual([nameOf(chosen), []]);
}
