import { describe, expect, it } from '@jest/globals';
import { KeyRing } from './key-ring';
import { defineSealedRecord } from './sealed-record';

interface Note {
  readonly version: 1;
  readonly text: string;
}

const keyRing = new KeyRing('k'.repeat(40));
const note: Note = { version: 1, text: 'µ' };
const notes = defineSealedRecord<Note>({ scope: 'note', version: 1 });
const sealed = notes.seal(keyRing, 'ns:notes one', note);

describe('a sealed record', () => {
  it('opens in its place', () => {
    expect(notes.open(keyRing, 'ns:notes one', sealed)).toEqual(note);
  });

  it('does not exist elsewhere, as another kind, under another key, or with any bit changed', () => {
    const others = defineSealedRecord<Note>({ scope: 'other', version: 1 });
    expect(notes.open(keyRing, 'ns:notes two', sealed)).toBeUndefined();
    expect(others.open(keyRing, 'ns:notes one', sealed)).toBeUndefined();
    expect(notes.open(new KeyRing('x'.repeat(40)), 'ns:notes one', sealed)).toBeUndefined();
    for (let position = 0; position < sealed.length; position += 1) {
      const changed = Buffer.from(sealed);
      changed[position] = (changed[position] ?? 0) ^ 1;
      expect(notes.open(keyRing, 'ns:notes one', changed)).toBeUndefined();
    }
    for (const text of ['', 'null', '{}', JSON.stringify(note)])
      expect(notes.open(keyRing, 'ns:notes one', Buffer.from(text))).toBeUndefined();
  });

  it('does not exist here if it is of another version', () => {
    const later = defineSealedRecord<{ readonly version: 2; readonly text: string }>({ scope: 'note', version: 2 });
    expect(later.open(keyRing, 'ns:notes one', sealed)).toBeUndefined();
  });
});
