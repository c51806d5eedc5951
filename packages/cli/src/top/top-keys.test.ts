import { expect, it } from '@jest/globals';
import type { RunningReading } from './cluster-reading';
import { NO_KEYS, pressKey, splitKeys, type KeyEffect, type KeyState } from './top-keys';

const aJob = (id: string): RunningReading => ({ id, owner: 'o', kind: 'exec', mode: 'admin', lane: 'l', worker: 'w', startedAt: 0, isCancelled: false }); // prettier-ignore
const running = [aJob('a'), aJob('b')];

function type(text: string, from: KeyState = NO_KEYS): { state: KeyState; effects: KeyEffect[] } {
  const effects: KeyEffect[] = [];
  let state = from;
  for (const key of splitKeys(text)) {
    const pressed = pressKey(state, key, running);
    state = pressed.state;
    if (pressed.effect !== undefined) effects.push(pressed.effect);
  }
  return { state, effects };
}

it.each([
  ['j', 'a'],
  ['jj', 'b'],
  ['\u001b[B\u001b[B\u001b[B', 'b'],
  ['jjk', 'a'],
  ['\u001bOB\u001bOB\u001b[A\u001b[A', 'a'],
])('%j marks the running job %s', (keys, marked) => expect(type(keys).state.marked).toBe(marked));

it('a job is cancelled when it is marked and the question is answered with y, and never otherwise', () => {
  expect(type('jjcy').effects).toEqual([{ do: 'cancel', job: running[1] }]);
  for (const keys of ['cy', 'jcn', 'jcny', 'jcc', 'jc\u001b[By', 'y', 'jhcy']) expect(type(keys).effects).toEqual([]);
});

it('the job that was asked about is the one that is cancelled, whatever the list is by then', () => {
  const { state } = type('jc');
  expect(pressKey(state, 'y', [aJob('c')]).effect).toEqual({ do: 'cancel', job: running[0] });
});

it('q, Ctrl-C and Ctrl-D end it, also in the middle of a question or of the help', () => {
  for (const before of ['', 'jc', 'h']) for (const key of ['q', '\u0003', '\u0004']) expect(type(before + key).effects).toEqual([{ do: 'end' }]);
}); // prettier-ignore

it('h shows the help, any other key takes it away', () => {
  expect(type('h').state.showsHelp).toBe(true);
  expect(type('hj').state).toEqual(NO_KEYS);
});
