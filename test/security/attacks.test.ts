import { afterAll, beforeAll } from '@jest/globals';
import { assertStopped, chooseAttacks, describeWorld, Siege } from './siege';
import { atLevel } from './worlds';

const siege = new Siege();
beforeAll(() => siege.start());
afterAll(() => siege.stop());

/** Each attack once, at the best level: in ADMIN mode, where the policy lets it through, or else in the only mode it has. */
const world = atLevel('A', 'root', 'on');
describeWorld(siege, world, chooseAttacks({ modes: ['admin', 'restricted'], slowIn: 'admin', onceEach: true }), (one, fight) => {
  const stoppers = siege.stoppersOf(one, world);
  if (stoppers !== undefined && stoppers.length > 0) assertStopped(one, fight);
});
