'use strict';
// How much a process does between two turns of its event loop: in bytes and calls, which do not depend on the clock, on the
// machine or on who else is at work on it. Counted are the calls that can take long on large content: making and reading
// text, JSON, hashes, patterns; synchronous file operations; and work that would have paused (`turns.ts`) but was not let.
// Copies of bytes are not counted: sixteen megabytes are copied in a few milliseconds.
//
// Loaded before a program (NODE_OPTIONS=--require=…, WORK_PER_TURN_DIRECTORY): at each SIGUSR2 the process adds a line to a
// file named for it, and counts anew.
const buffer = require('node:buffer');
const crypto = require('node:crypto');
const fs = require('node:fs');
const { join } = require('node:path');
const { performance } = require('node:perf_hooks');

/** What a call costs besides: a million short names are as much work as a long text. */
const CALL_BYTES = 64;

/** @param target {object} @param around {(original: Function) => Function} @returns what puts the original back */
function wrap(target, name, around) {
  const original = target[name];
  target[name] = around(original);
  return () => (target[name] = original);
}

/** Begins to count. `globals`: JSON, RegExp and String of the realm to look at. */
function watchWork(globals = globalThis) {
  let turn = -1;
  let now = { bytes: 0, calls: 0 };
  let most = { bytes: 0, largest: '', fileCalls: 0, pausesSkipped: 0 };
  /** Of this turn: call → how often, and bytes in all. */
  let kinds = new Map();

  const enter = () => {
    const current = performance.nodeTiming.uvMetricsInfo.loopCount;
    if (current === turn) return;
    turn = current;
    now = { bytes: 0, calls: 0 };
    kinds = new Map();
  };
  /** What most of it was, for whoever has to find it. */
  const describeMost = () => {
    const sorted = [...(most.kinds ?? [])].sort(([, one], [, other]) => other.bytes - one.bytes).slice(0, 3);
    return sorted.map(([name, { calls, bytes }]) => `${name} ${calls} × ${Math.round(bytes / calls)}`).join(', ');
  };
  const add = (name, bytes) => {
    enter();
    const counted = CALL_BYTES + Math.round(bytes);
    now.bytes += counted;
    const kind = kinds.get(name) ?? { calls: 0, bytes: 0 };
    kinds.set(name, { calls: kind.calls + 1, bytes: kind.bytes + counted });
    if (now.bytes > most.bytes) most = { ...most, bytes: now.bytes, kinds };
  };
  const lengthOf = (value) => (typeof value === 'string' ? value.length : (value?.byteLength ?? 0));
  const counting = (name, measure) => (original) =>
    function (...args) {
      const result = Reflect.apply(original, this, args);
      add(name, measure.call(this, args, result));
      return result;
    };

  const restores = [
    wrap(globals.JSON, 'parse', counting('JSON.parse', ([text]) => lengthOf(text))),
    wrap(globals.JSON, 'stringify', counting('JSON.stringify', (_args, text) => lengthOf(text))),
    wrap(globals.String.prototype, 'normalize', counting('normalize', function () { return this.length; })),
    wrap(globals.RegExp.prototype, 'exec', counting('exec', ([text]) => lengthOf(text))),
    wrap(globals.RegExp.prototype, 'test', counting('test', ([text]) => lengthOf(text))),
    wrap(buffer.Buffer.prototype, 'toString', counting('toString', (_args, text) => lengthOf(text))),
    wrap(buffer.Buffer, 'from', counting('Buffer.from', ([value], bytes) => (typeof value === 'string' ? bytes.length : 0))),
    // Forty times as fast as the others.
    wrap(buffer, 'isUtf8', counting('isUtf8', ([bytes]) => lengthOf(bytes) / 40)),
    wrap(crypto.Hash.prototype, 'update', counting('hash', ([bytes]) => lengthOf(bytes))),
    wrap(crypto.Hmac.prototype, 'update', counting('hmac', ([bytes]) => lengthOf(bytes))),
    ...Object.keys(fs)
      .filter((name) => name.endsWith('Sync') && typeof fs[name] === 'function')
      .map((name) =>
        wrap(fs, name, (original) =>
          Object.assign(function (...args) {
            enter();
            now.calls += name === 'rmSync' && args[1]?.recursive ? 1_000 : 1;
            if (now.calls > most.fileCalls) most = { ...most, fileCalls: now.calls };
            return Reflect.apply(original, this, args);
          }, original),
        ),
      ),
  ]; // prettier-ignore

  return {
    /** For the `atOnce` of a module `turns`. */
    watchTurns: (turns) => {
      const restore = wrap(turns, 'atOnce', () => (steps) => {
        for (let skipped = 0; ; skipped += 1) {
          const step = steps.next();
          if (step.done) return step.value;
          if (skipped >= most.pausesSkipped) most = { ...most, pausesSkipped: skipped + 1 };
        }
      });
      restores.push(restore);
    },
    /** The most of each in one turn, since it was asked last. */
    take: () => {
      const taken = { ...most, largest: describeMost() };
      delete taken.kinds;
      most = { bytes: 0, largest: '', fileCalls: 0, pausesSkipped: 0 };
      return taken;
    },
    stop: () => restores.reverse().forEach((restore) => restore()),
  };
}

module.exports = { watchWork };

const directory = process.env.WORK_PER_TURN_DIRECTORY;
if (directory !== undefined) {
  const append = fs.appendFileSync;
  const work = watchWork();
  work.watchTurns(require('../../packages/shared/dist/lifecycle/turns.js'));
  process.on('SIGUSR2', () => append(join(directory, String(process.pid)), `${JSON.stringify(work.take())}\n`));
}
