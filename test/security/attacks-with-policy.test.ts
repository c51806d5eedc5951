import { afterAll, beforeAll, expect } from '@jest/globals';
import { assertStopped, chooseAttacks, describeWorld, nameOf, Siege } from './siege';
import { atLevel, withOnly, type Level, type World } from './worlds';

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

const chosen = chooseAttacks(['restricted'], 'none');

for (const world of [withOnly('policy', 'root'), ...WORLDS.map(([level, user]) => atLevel(level, user, 'on'))]) {
  describeWorld(siege, world, chosen.filter(([attack]) => attack.stoppedBy.restricted.includes('policy')), (one, fight) => {
    assertStopped(one, fight);
    expect([nameOf(one), fight.errorType]).toEqual([nameOf(one), one[0].refusedAs]);
  }); // prettier-ignore
}
