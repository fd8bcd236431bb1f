import { describe, expect, it } from 'vitest';
import { encoded, thrown, track } from './fixture.ts';

interface Item {
  n: number;
  seen?: boolean;
}
type List = (Item | number)[];

const items = (): List => [{ n: 1 }, 2, { n: 3 }, { n: 4 }, 5];

/** What a program makes of a list of its own, and of a tracked one that is alike: result, list, and what callbacks saw. */
function both(program: (list: List, note: (...values: unknown[]) => void) => unknown): [unknown, unknown] {
  const run = (list: List, whole: () => unknown): unknown => {
    const notes: unknown[] = [];
    const result = program(list, (...values) => notes.push(structuredClone(JSON.stringify(values))));
    return JSON.parse(JSON.stringify({ result, notes, list: whole() }));
  };
  const plain = items();
  const { s } = track({ list: items() });
  return [run(plain, () => plain), run(s['list'] as List, () => s['list'])];
}

const isItem = (one: Item | number): one is Item => typeof one === 'object';

describe('visiting a tracked array', () => {
  it.each<[string, (list: List, note: (...values: unknown[]) => void) => unknown]>([
    ['for…of', (list, note) => void ([...list].length, [...list.values()].forEach((one) => note(one)))],
    ['forEach', (list, note) => list.forEach((one, i, all) => note(one, i, all.length))],
    ['map', (list) => list.map((one) => (isItem(one) ? one.n : one))],
    ['filter', (list) => list.filter(isItem)],
    ['some and every', (list) => [list.some((one) => one === 2), list.every(isItem)]],
    ['find', (list) => [list.find((one) => isItem(one) && one.n > 1), list.find((one) => one === 9) ?? 'none']],
    ['findLast', (list) => (list as unknown as { findLast(t: typeof isItem): Item }).findLast(isItem)],
    ['findIndex', (list) => [list.findIndex(isItem), list.findIndex((one) => one === 9)]],
    ['findLastIndex', (list) => (list as unknown as { findLastIndex(t: typeof isItem): number }).findLastIndex(isItem)],
    [
      'a list that grows meanwhile',
      (list, note) => list.forEach((one) => (note(one), list.length < 9 && list.push(7))),
    ],
    [
      'an iterator of a list that grows',
      (list, note) => {
        for (const one of list) {
          note(one);
          if (list.length < 9) list.push({ n: list.length });
        }
      },
    ],
    ['a list that shrinks meanwhile', (list, note) => list.forEach((one) => (note(one), void list.pop()))],
    [
      'an element that is replaced while it is visited',
      (list) => list.filter((one, i) => ((list[i] = 0), isItem(one))),
    ],
    [
      'a list with holes',
      (list, note) => {
        delete list[1];
        list.forEach((one, i) => note(one, i));
        note(
          [...list].length,
          list.findIndex((one) => one === undefined),
          list.map(() => 1).length,
        );
      },
    ],
    [
      'an iterator that is used up, also when the list grows again',
      (list) => {
        const iterator = list.values();
        while (iterator.next().done !== true);
        list.push(8);
        return iterator.next().done;
      },
    ],
  ])('is as visiting any other: %s', (_, program) => {
    const [plain, tracked] = both(program);
    expect(tracked).toEqual(plain);
  });

  it.each<[string, (list: Item[]) => void]>([
    [
      'for…of',
      (list) => {
        for (const one of list) one.seen = true;
      },
    ],
    ['forEach', (list) => list.forEach((one) => (one.seen = true))],
    ['map', (list) => (list.map((one) => one)[1]!.seen = true)],
    ['filter', (list) => list.filter((one) => one.n > 1).forEach((one) => (one.seen = true))],
    ['find', (list) => (list.find((one) => one.n === 2)!.seen = true)],
    ['some', (list) => list.some((one) => (one.seen = true))],
  ])('hands out elements whose changes are noted: %s', (_, change) => {
    const { tracker, slots, s } = track({ list: [{ n: 1 }, { n: 2 }] });
    const before = encoded(slots, 'list');
    tracker.settle(tracker.capture());
    change(s['list'] as Item[]);
    expect([...tracker.writeSet]).toEqual(['list']);
    expect(encoded(slots, 'list')).not.toBe(before);
  });

  it('exchanges frozen elements where they are, once', () => {
    const { slots, s } = track({ list: [Object.freeze({ n: 1 }), Object.freeze({ n: 2 })] });
    const list = s['list'] as Item[];
    const [first] = list.filter((one) => one.n === 1);
    first!.n = 10;
    for (const one of list) if (one.n === 2) one.n = 20;
    expect(list[0]).toBe(first);
    expect((slots.get('list') as Item[]).map(({ n }) => n)).toEqual([10, 20]);
  });

  it('passes `this` and the tracked array on, and refuses what is no function in the words of the engine', () => {
    const { s } = track({ list: [1] });
    const list = s['list'] as number[];
    const self = {};
    list.forEach(function (this: unknown, _one, _i, all) {
      expect(this).toBe(self);
      expect(all).toBe(list);
    }, self);
    expect(() => list.forEach(5 as never)).toThrow(TypeError);
    expect(() => list.find(undefined as never)).toThrow(TypeError);
  });

  it('ends with the session, in the middle of an iteration too', () => {
    const { tracker, s } = track({ list: [{ n: 1 }, { n: 2 }] });
    const iterator = (s['list'] as Item[]).values();
    iterator.next();
    tracker.close('s');
    expect(thrown(() => iterator.next()).code).toBe('ERR_CLOSED');
  });

  it('gives an iterator like any other', () => {
    const { s } = track({ list: [1, 2] });
    const iterator = (s['list'] as number[])[Symbol.iterator]();
    expect(iterator[Symbol.iterator]()).toBe(iterator);
    expect(String(iterator)).toBe('[object Array Iterator]');
    expect(Array.prototype.values.call(s['list'] as number[]).next().value).toBe(1); // borrowed, through the Proxy
  });
});
