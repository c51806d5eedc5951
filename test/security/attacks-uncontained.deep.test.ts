import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ATTACKS, LAYERS, type Layer } from './attack-programs';
import { assertReached, assertStopped, chooseAttacks, describeWorld, nameOf, Siege, type Chosen } from './siege';
import { atLevel, withNothing, withOnly, type World } from './worlds';

const siege = new Siege();
beforeAll(() => siege.start());
afterAll(() => siege.stop());

const BOTH = ['restricted', 'admin'] as const;

it('each class of attacks has at least ten, and each attack says how it works and where that was published', () => {
  const groups = new Map<string, number>();
  for (const { group } of ATTACKS) groups.set(group, (groups.get(group) ?? 0) + 1);
  expect(groups.size).toBe(15);
  expect(Math.min(...groups.values())).toBeGreaterThanOrEqual(10);
  expect(new Set(ATTACKS.map(({ group, name }) => `${group}: ${name}`)).size).toBe(ATTACKS.length);
});

it('what is not contained at levels A and B is known', () => {
  const open = (world: World): string[] =>
    chooseAttacks({ modes: BOTH, slowIn: 'admin' })
      .filter(([attack, mode]) => !attack.stoppedBy[mode].some((layer) => world.layers.has(layer)))
      .map(nameOf);
  for (const level of ['A', 'B by users'] as const) expect(open(atLevel(level, 'root', 'off'))).toEqual([]);
  expect(open(atLevel('B by namespaces', 'root', 'off'))).toEqual(['admin: the folder of another job closed']);
  expect(open(atLevel('C', 'root', 'off'))).toEqual([
    'admin: the mode of a file, and its times',
    'admin: the folder of another job closed',
  ]);
});

describe('an attack reaches its mark', () => {
  describeWorld(
    siege,
    withNothing('root'),
    chooseAttacks({ modes: ['admin', 'restricted'], ofLanguage: false, onceEach: true }),
    assertReached,
  );
  describeWorld(siege, withNothing('plain user'), chooseAttacks({ modes: BOTH, slowIn: 'restricted' }), assertReached);
});

describe('an attack is stopped by each of the layers that it names', () => {
  const stoppedBy = (layer: Layer): Chosen[] =>
    chooseAttacks({ modes: BOTH, ofLanguage: false }).filter(([attack, mode]) => attack.stoppedBy[mode].includes(layer));
  // That of the policy stands beside this file.
  for (const layer of LAYERS.filter((one) => one !== 'policy')) {
    // A user of its own is root's to give; and root has rights that other layers do not look at.
    const world = withOnly(layer, layer === 'uid' ? 'root' : 'plain user');
    describeWorld(siege, world, stoppedBy(layer), (chosen, fight) => {
      if (siege.stoppersOf(chosen, world) !== undefined) assertStopped(chosen, fight);
    });
  }
});
