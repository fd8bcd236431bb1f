import { inspect, isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { encoded, expectCode, readBack, settle, track, type Loose } from './fixture.ts';

const PLAIN = { writable: true, enumerable: true, configurable: true };

/** What the application assigns, by its own variable, and how it looks at it in the state. */
const PLACES: [string, (s: Loose, mine: Loose) => void, (s: Loose) => Loose][] = [
  ['as an attribute', (s, mine) => (s.a = mine), (s) => s.a],
  ['as a property', (s, mine) => (s.a.deep = { er: mine }), (s) => s.a.deep.er],
  ['defined', (s, mine) => Object.defineProperty(s.a, 'one', { value: mine, ...PLAIN }), (s) => s.a.one],
  ['pushed', (s, mine) => s.a.list.push(mine), (s) => s.a.list.at(-1)],
  ['pushed, and moved in its list', (s, mine) => (s.a.list.push(mine), s.a.list.reverse()), (s) => s.a.list[0]],
  ['unshifted', (s, mine) => s.a.list.unshift(mine), (s) => s.a.list[0]],
  ['spliced in', (s, mine) => s.a.list.splice(1, 0, mine), (s) => s.a.list[1]],
  ['spliced in before others', (s, mine) => (s.a.list.splice(1, 0, mine), s.a.list.unshift({})), (s) => s.a.list[2]],
  ['in a Map', (s, mine) => s.a.map.set('k', mine), (s) => s.a.map.get('k')],
  ['in a Map under undefined', (s, mine) => s.a.map.set(undefined, mine), (s) => s.a.map.get(undefined)],
  ['inside what was assigned before', (s, mine) => ((s.a.one = {}), (s.a.one.two = mine)), (s) => s.a.one.two],
];

const start = (): Loose => ({ a: { list: [{ n: 0 }], map: new Map() } });
const object = (): Loose => ({ n: 1, deep: { n: 1 }, list: [1, { n: 1 }], map: new Map([['x', { n: 1 }]]) });
/** What is not equal to itself is no reason to take a copy. */
const withNaN = (): Loose => ({ n: 1, numbers: new Map([['x', Number.NaN]]), more: new Set([Number.NaN]) });

describe.each(PLACES)('an object of the application, %s', (_name, assign, look) => {
  it('may be changed by its own variable until the save, and not from then on', () => {
    const { tracker, s } = track(start());
    const mine = object();
    assign(s, mine);
    mine.n = 2;
    mine.deep.n = 2;
    expect([look(s).n, look(s).deep.n]).toEqual([2, 2]);
    settle(tracker);
    mine.n = 3;
    mine.deep.n = 3;
    mine.list.push(3);
    mine.map.set('y', 3);
    expect(isDeepStrictEqual([look(s).n, look(s).deep.n, look(s).list.length, look(s).map.size], [2, 2, 2, 1])).toBe(
      true,
    );
  });

  it('may hold NaN in a Map or a Set', () => {
    const { s } = track(start());
    const mine = withNaN();
    assign(s, mine);
    mine.n = 2;
    mine.numbers.set('y', 2);
    mine.more.add(2);
    expect([look(s).n, look(s).numbers.get('y'), look(s).more.has(2)]).toEqual([2, 2, true]);
  });

  it('leaves nothing shared with the next use', () => {
    const { tracker, s } = track(start());
    assign(s, object());
    settle(tracker);
    expect(tracker.detach()).toEqual([]);
  });

  it('can be changed through the state before and after, by what was taken from it before', () => {
    const { tracker, s } = track(start());
    const mine = object();
    assign(s, mine);
    const shown = look(s);
    const { deep, list, map } = shown;
    const member = map.get('x');
    for (let save = 1; save < 4; save += 1) {
      settle(tracker);
      expect(look(s)).toBe(shown);
      shown.n = 10 * save;
      deep.n += save;
      list[1].n = save;
      list.push(save);
      member.n = save;
      delete deep[`k${save - 1}`];
      deep[`k${save}`] = save;
      expect(tracker.tracked()).toEqual(['a']);
      expect(look(s).n).toBe(10 * save);
      expect([look(s).deep.n, look(s).list[1].n, look(s).list.length]).toEqual([deep.n, save, 2 + save]);
      expect(look(s).map.get('x').n).toBe(save);
      expect(Object.keys(look(s).deep)).toEqual(['n', `k${save}`]);
    }
    // It is the application's alone.
    expect([mine.n, mine.deep, mine.list, mine.map.get('x')]).toEqual([1, { n: 1 }, [1, { n: 1 }], { n: 1 }]);
  });

  it('looks like any other', () => {
    const { tracker, s } = track(start());
    assign(s, object());
    const shown = look(s);
    for (let save = 0; save < 2; save += 1) {
      expect(JSON.stringify(shown.list)).toBe('[1,{"n":1}]');
      expect(inspect(shown)).toBe(inspect(object()));
      expect(Array.isArray(shown.list)).toBe(true);
      expect(shown.map instanceof Map).toBe(true);
      expect([...shown.list].length).toBe(2);
      expect({ ...shown.deep }).toEqual({ n: 1 });
      expect(Object.getOwnPropertyDescriptor(shown, 'n')).toEqual({
        value: 1,
        writable: true,
        enumerable: true,
        configurable: true,
      });
      expect('deep' in shown).toBe(true);
      expect(Object.keys(shown)).toEqual(['n', 'deep', 'list', 'map']);
      expect(isDeepStrictEqual(shown.list.concat([3]), [1, { n: 1 }, 3])).toBe(true);
      settle(tracker);
    }
  });
});

describe('what was assigned before a save', () => {
  it('is found by the application’s own object', () => {
    const { tracker, s } = track(start());
    const mine = { n: 1 };
    s.a.list.push(mine);
    settle(tracker);
    expect(s.a.list.indexOf(mine)).toBe(1);
    expect(s.a.list.includes(mine)).toBe(true);
  });

  it('and put in two places since, is one object in both', () => {
    const { tracker, slots, s } = track(start());
    s.a.one = { n: 1 };
    s.a.two = s.a.one;
    settle(tracker);
    s.a.two.n = 2;
    expect([s.a.one.n, s.a.two.n]).toEqual([2, 2]);
    const { one, two } = readBack(slots, 'a');
    expect([s.a.one === s.a.two, one, one === two]).toEqual([true, { n: 2 }, true]);
  });

  it.each<[string, (a: Loose, mine: Loose) => unknown]>([
    ['pushed', (a, mine) => a.list.push(mine, mine)],
    ['unshifted', (a, mine) => a.list.unshift(mine, mine)],
    ['spliced in', (a, mine) => a.list.splice(0, 0, mine, mine)],
    ['given two indices', (a, mine) => ((a.list[0] = mine), (a.list[1] = mine))],
    ['given two names', (a, mine) => ((a.one = mine), (a.two = mine))],
    ['set twice in a Map', (a, mine) => a.map.set(1, mine).set(2, mine)],
  ])('twice, %s, is one object in two places', (_name, assign) => {
    const { tracker, slots, s } = track(start());
    assign(s.a, { n: 1 });
    settle(tracker);
    const parts = ({ list, map, one, two }: Loose): Loose[] =>
      [...list, ...map.values(), one, two].filter((part) => part?.n === 1);
    for (const found of [parts(s.a), parts(readBack(slots, 'a'))])
      expect([found.length, new Set(found).size]).toEqual([2, 1]);
    parts(s.a)[0].n = 2;
    expect([parts(s.a), parts(readBack(slots, 'a'))]).toEqual([[], []]); // the other place has it too
  });

  it('is the state’s own also where that was assigned to itself', () => {
    const { tracker, s } = track(start());
    const mine = new Map([['k', 1]]);
    Object.assign(s, { a: s.a });
    s.a.mine = mine;
    settle(tracker);
    mine.set('late', 2);
    expect([s.a.mine.size, tracker.detach()]).toEqual([1, []]);
  });

  it('that holds a part of the state is copied around it: that is one object still', () => {
    const { tracker, slots, s } = track({ a: { deep: { n: 1 } } });
    const mine: Loose = { list: [] };
    mine.list.push(mine);
    s.a.mine = mine;
    s.a.mine.part = s.a.deep;
    settle(tracker);
    mine.late = 1;
    s.a.deep.n = 2;
    const { deep, mine: kept } = readBack(slots, 'a');
    expect([kept.part === deep, kept.part.n, kept.list[0] === kept, kept.late]).toEqual([true, 2, true, undefined]);
    expect(tracker.detach()).toEqual([]);
  });

  it('in one place again and again is one object', () => {
    const { tracker, slots, s } = track(start());
    const mine = { n: 1 };
    for (let i = 0; i < 2; i += 1) {
      s.a.list[0] = mine;
      s.a.one = mine.n === 1 ? { n: 1 } : mine;
    }
    settle(tracker);
    mine.n = 2;
    expect([s.a.list[0].n, tracker.detach()]).toEqual([1, []]);
    expect(() => encoded(slots, 'a')).not.toThrow();
  });

  it('assigned again is an object of its own', () => {
    const { tracker, s } = track(start());
    const mine = { n: 1 };
    s.a.one = mine;
    settle(tracker);
    mine.n = 2;
    s.a.two = mine;
    expect([s.a.one.n, s.a.two.n]).toEqual([1, 2]);
    settle(tracker);
    s.a.two.n = 3;
    expect([s.a.one.n, s.a.two.n, mine.n]).toEqual([1, 3, 2]);
  });
});

describe('a Date that was read', () => {
  it.each<[string, (s: Loose) => Date]>([
    ['of an attribute', (s) => s.when],
    ['of an object', (s) => s.a.at],
    ['of an array that was turned round since', (s) => (s.a.list.reverse(), s.a.list[1])],
    ['of a Map', (s) => s.a.map.get('at')],
  ])('%s is the application’s own from the end of the use on, and the value can be shown again', (_name, read) => {
    const { tracker, slots, s } = track({
      when: new Date(1),
      a: { at: new Date(1), list: [1, new Date(1)], map: new Map([['at', new Date(1)]]) },
    });
    s.a.list.reverse();
    const date = read(s);
    expect(tracker.detach()).toEqual([]);
    date.setTime(2);
    expect(JSON.stringify([slots.get('when'), slots.get('a'), (slots.get('a') as Loose).map.get('at')])).not.toContain(
      '002Z',
    );
  });

  it('of an object of the application, before its first save, is the state’s own copy at the end', () => {
    const { tracker, slots, s } = track({ a: {} });
    const mine = { at: new Date(1) };
    const { at } = mine;
    s.a.mine = mine;
    expect(s.a.mine.at).toBe(at);
    settle(tracker);
    expect(tracker.detach()).toEqual([]);
    at.setTime(2);
    expect((slots.get('a') as Loose).mine.at).toEqual(new Date(1));
    expect(mine.at).toBe(at);
  });

  it('of a Set, and bytes, stay where they are: the value must be decoded again', () => {
    const { tracker, s } = track({ a: { dates: new Set([new Date(1)]) }, b: { bytes: Buffer.alloc(2) } });
    expect([[...s.a.dates].length, s.b.bytes.length]).toEqual([1, 2]);
    expect(tracker.detach()).toEqual(['a', 'b']);
  });
});

it('a write to an array that is all but empty takes no walk', { timeout: 5_000 }, () => {
  const { tracker, s } = track({ a: { list: [] } });
  s.a.list[2 ** 31] = { n: 1 };
  settle(tracker);
  s.a.list.pop();
  s.a.list[5] = 2;
  s.a = { list: Object.assign([], { 7: 1, length: 2 ** 31 }) };
  settle(tracker);
  expect(s.a.list.length).toBe(2 ** 31);
});

it('a frozen object under a read-only name of what was assigned is refused by its path, not by the engine', () => {
  const { s } = track({ a: {} });
  s.a.own = Object.defineProperty({}, 'fixed', { value: Object.freeze({ n: 1 }), enumerable: true });
  expect(expectCode(() => s.a.own.fixed, 'ERR_INVALID').message).toBe(
    'a.own.fixed is read-only in the object that was assigned: assign a copy of that',
  );
});
