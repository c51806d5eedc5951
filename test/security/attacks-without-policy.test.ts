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
  const slow = level === 'A' ? 'restricted' : user === 'plain user' && level === 'C' ? 'admin' : 'none';
  describeWorld(siege, world, chooseAttacks(['restricted', 'admin'], slow), (chosen, fight) => {
    const stoppers = siege.stoppersOf(chosen, world);
    if (stoppers === undefined) return;
    if (stoppers.length > 0) assertStopped(chosen, fight);
    else assertReached(chosen, fight);
  });
}
