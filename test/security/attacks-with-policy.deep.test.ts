import { afterAll, beforeAll, expect } from '@jest/globals';
import { assertStopped, chooseAttacks, describeWorld, nameOf, Siege } from './siege';
import { atLevel, withOnly } from './worlds';

const siege = new Siege();
beforeAll(() => siege.start());
afterAll(() => siege.stop());

const chosen = chooseAttacks({ modes: ['restricted'] }).filter(([attack]) => attack.stoppedBy.restricted.includes('policy'));

/** Alone, and where it is what an author meets first. */
for (const world of [withOnly('policy', 'root'), atLevel('A', 'root', 'on'), atLevel('C', 'plain user', 'on')]) {
  describeWorld(siege, world, chosen, (one, fight) => {
    assertStopped(one, fight);
    expect([nameOf(one), fight.errorType]).toEqual([nameOf(one), one[0].refusedAs]);
  });
}
