import { afterAll, beforeAll } from '@jest/globals';
import { assertReached, assertStopped, chooseAttacks, describeWorld, Siege } from './siege';
import { atLevel, type Level, type World } from './worlds';

const siege = new Siege();
beforeAll(() => siege.start());
afterAll(() => siege.stop());

const WORLDS: readonly (readonly [Level, World['user']])[] = [
  ['A', 'root'],
  ['B by users', 'root'],
  ['B by namespaces', 'plain user'],
  ['C', 'root'],
  ['C', 'plain user'],
];

/** The kernel and the worker node hold alone. */
for (const [level, user] of WORLDS) {
  const world = atLevel(level, user, 'off');
  const isOneOfTwo = level === 'A' || (level === 'C' && user === 'plain user');
  const chosen = [
    // Those of ADMIN mode at level A stand in attacks.test.ts: nothing there is the policy's.
    ...chooseAttacks({ modes: level === 'A' ? ['restricted'] : ['restricted', 'admin'], ofLanguage: isOneOfTwo }),
    ...(level === 'A' ? chooseAttacks({ modes: ['restricted', 'admin'], slowIn: 'restricted' }).filter(([attack]) => attack.isSlow) : []),
    ...(level === 'C'
      ? chooseAttacks({ modes: ['admin'], slowIn: 'admin' }).filter(([{ isSlow, modes }]) => isSlow && modes.length === 1)
      : []),
  ];
  describeWorld(siege, world, chosen, (one, fight) => {
    const stoppers = siege.stoppersOf(one, world);
    if (stoppers === undefined) return;
    if (stoppers.length > 0) assertStopped(one, fight);
    else assertReached(one, fight);
  });
}
