import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { changes } from '../../ts/graph.ts';
import { anyValue } from '../codec/values.ts';
import { changed } from './changed.ts';
import { edited } from './edited.ts';

function check(base: unknown, target: unknown): void {
  const made = changed(base, changes(base, target));
  const wanted = Buffer.from(msgpackCodec.encode(target, 'target'));
  expect(wanted.equals(msgpackCodec.encode(made, 'made'))).toBe(true);
}

describe('changes', () => {
  it('make the target of the base, one behind the other', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (base, target) => check(base, target)),
      { numRuns: 100 },
    );
    fc.assert(
      fc.property(edited, ([base, target]) => check(base, target)),
      { numRuns: 200 },
    );
  });

  it('say what was done, and where', () => {
    const base = {
      a: 1,
      gone: true,
      list: [{ id: 1 }, { id: 2, n: 1 }, { id: 3 }, 'x'],
      map: new Map<string, unknown>([
        ['k', { v: 1 }],
        ['old', 1],
      ]),
      set: new Set(['one', 'two']),
      text: 'a text that is long enough to be changed in part',
      bytes: new Uint8Array(64),
    };
    const bytes = new Uint8Array(64);
    bytes[9] = 1;
    const target = {
      a: 2,
      list: [{ id: 0 }, { id: 3 }, { id: 1 }, { id: 2, n: 5 }],
      map: new Map<string, unknown>([
        ['k', { v: 2 }],
        ['new', 1],
      ]),
      set: new Set(['two', 'three']),
      text: 'a text that is long enough to be edited in part',
      bytes,
      fresh: null,
    };
    expect(changes(base, target)).toEqual([
      { op: 'unset', path: ['gone'] },
      { op: 'set', path: ['a'], value: 2 },
      { op: 'remove', path: ['list'], index: 3, count: 1 },
      { op: 'move', path: ['list'], from: 2, to: 0 },
      { op: 'insert', path: ['list'], index: 0, values: [{ id: 0 }] },
      { op: 'set', path: ['list', 3, 'n'], value: 5 },
      { op: 'delete', path: ['map'], key: 'old' },
      { op: 'set', path: ['map', { kind: 'map value', index: 0, key: 'k' }, 'v'], value: 2 },
      { op: 'add', path: ['map'], key: 'new', value: 1 },
      { op: 'delete', path: ['set'], key: 'one' },
      { op: 'add', path: ['set'], key: 'three' },
      { op: 'splice', path: ['text'], index: 33, remove: 5, insert: 'edit' },
      { op: 'splice', path: ['bytes'], delta: expect.any(Uint8Array) as Uint8Array },
      { op: 'set', path: ['fresh'], value: null },
    ]);
    expect(changes({ a: 1, b: 2 }, { b: 2, a: 1 })).toEqual([{ op: 'reorder', path: [], order: [1, 0] }]);
    expect(changes(base, base)).toEqual([]);
    // Integer keys are first by themselves.
    expect(changes({ a: 1 }, { 0: 1, b: 1, a: 1 }).at(-1)).toEqual({ op: 'reorder', path: [], order: [0, 2, 1] });
    expect(changes({ a: 1 }, { a: 1, 7: 1 })).toEqual([{ op: 'set', path: ['7'], value: 1 }]);
  });

  it('never cut a surrogate pair', () => {
    const [cat, dog] = ['\ud83d\udc31', '\ud83d\udc36'];
    const before = `${'a'.repeat(40)}${cat}${'b'.repeat(40)}`;
    const after = `${'a'.repeat(40)}${dog}${'b'.repeat(40)}`;
    expect(changes(before, after)).toEqual([{ op: 'splice', path: [], index: 40, remove: 2, insert: dog }]);
    const ends = ['\ud83d\udc31', '\ud83e\udc31'].map((pair) => `${'a'.repeat(40)}${pair}${'b'.repeat(40)}`);
    expect(changes(ends[0], ends[1])).toEqual([
      { op: 'splice', path: [], index: 40, remove: 2, insert: '\ud83e\udc31' },
    ]);
  });

  it('tell a long shuffle as one order', () => {
    const base = Array.from({ length: 3_000 }, (_, n) => `element ${n}`);
    expect(changes(base, base.toReversed())).toEqual([
      { op: 'reorder', path: [], order: base.map((_, n) => 2_999 - n) },
    ]);
  });
});
