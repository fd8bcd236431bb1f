import assert from 'node:assert';
import { createRequire } from 'node:module';
import { inspect, types } from 'node:util';
import { serialize } from 'node:v8';
import { enableMapSet, produce } from 'immer';
import { describe, expect, it } from 'vitest';
import { plain } from '../../ts/tracking/tracker.ts';
import { expectCode, settle, track, type Loose } from './fixture.ts';

enableMapSet();
const lodash = createRequire(import.meta.url)('lodash') as {
  cloneDeep(value: unknown): unknown;
  isEqual(a: unknown, b: unknown): boolean;
  isMap(value: unknown): boolean;
};

const sample = (): Loose => ({
  user: { name: 'Ada', address: { city: 'London' }, prices: new Map([['tea', { amount: 1 }]]) },
  list: [{ n: 1 }, { n: 2 }],
  map: new Map<unknown, unknown>([
    ['a', { n: 1 }],
    ['b', new Map([['deep', 2]])],
    ['c', { n: 3 }],
  ]),
  set: new Set<unknown>([{ n: 1 }, 'x']),
});
const NAMES = ['user', 'list', 'map', 'set'] as const;
const COLLECTIONS = ['map', 'set'] as const;

/** What common libraries, and the engine itself, make of parts of a state. */
describe.each(NAMES)('%s, handed to', (name) => {
  it('lodash cloneDeep, is cloned, and the clone is the application\u2019s own', () => {
    const { tracker, s } = track(sample());
    const clone = lodash.cloneDeep(s[name]) as Loose;
    expect(types.isProxy(clone)).toBe(false);
    assert.deepStrictEqual(clone, sample()[name]);
    tracker.close('s');
    assert.deepStrictEqual(clone, sample()[name]);
    expect([...tracker.writeSet]).toEqual([]);
  });

  it('lodash isEqual and assert.deepStrictEqual, equals a plain one, either way round, and no other', () => {
    const { s } = track(sample());
    const other = track(sample()).s;
    assert.deepStrictEqual(s[name], sample()[name]);
    assert.deepStrictEqual(sample()[name], s[name]);
    assert.deepStrictEqual(s[name], other[name]);
    expect([lodash.isEqual(s[name], sample()[name]), lodash.isEqual(sample()[name], s[name])]).toEqual([true, true]);
    const changed = lodash.cloneDeep(sample()[name]) as Loose;
    if (name === 'user') changed.address.city = 'Paris';
    else if (name === 'list') changed[1].n = 3;
    else if (name === 'map') changed.get('a').n = 2;
    else changed.add('y');
    assert.throws(() => assert.deepStrictEqual(s[name], changed), assert.AssertionError);
    expect(lodash.isEqual(s[name], changed)).toBe(false);
  });

  it('JSON, spread and for-of, gives what a plain one gives', () => {
    const { s } = track(sample());
    const bare = sample();
    expect(JSON.stringify(s[name])).toBe(JSON.stringify(bare[name]));
    assert.deepStrictEqual({ ...s[name] }, { ...bare[name] });
    if (name === 'user') return;
    assert.deepStrictEqual([...s[name]], [...bare[name]]);
    const seen = [];
    for (const item of s[name]) seen.push(item);
    assert.deepStrictEqual(seen, [...bare[name]]);
  });

  it('immer, is refused with the remedy, which works', () => {
    const { tracker, s } = track(sample());
    const recipe = (draft: Loose): void => {
      if (name === 'user') draft.name = 'Eve';
      else if (name === 'list') draft[0].n = 9;
      else if (name === 'map') draft.get('a').n = 9;
      else draft.add('y');
    };
    const error = expectCode(() => produce(s[name], recipe), 'ERR_INVALID');
    expect(error.message).toContain('plain(');
    expect([...tracker.writeSet]).toEqual([]);
    assert.deepStrictEqual(plain(s[name]), sample()[name]);
    const next = produce(plain(s[name]), recipe);
    s[name] = next;
    assert.deepStrictEqual(plain(s[name]), next);
    if (name === 'map') s.map.set('more', 1);
    expect([...tracker.writeSet]).toEqual([name]);
  });
});

describe.each(COLLECTIONS)('a %s of the state', (name) => {
  it('is one to the engine', () => {
    const { s } = track(sample());
    expect([
      types.isMap(s[name]),
      types.isSet(s[name]),
      types.isProxy(s[name]),
      s[name] instanceof (name === 'map' ? Map : Set),
    ]).toEqual([name === 'map', name === 'set', false, true]);
    expect([
      lodash.isMap(s[name]),
      Object.prototype.toString.call(s[name]),
      Object.keys(s[name]),
      s[name].constructor,
    ]).toEqual([name === 'map', name === 'map' ? '[object Map]' : '[object Set]', [], name === 'map' ? Map : Set]);
  });
});

describe.each(NAMES)('%s,', (name) => {
  it.each([
    ['structuredClone', structuredClone],
    ['v8.serialize', serialize],
  ] as const)('is refused by %s; a plain copy is not', (_name, clone) => {
    const { s } = track(sample());
    expect(() => clone(s[name])).toThrow(/could not be cloned/);
    if (name === 'map' || name === 'set') expect(() => clone(s[name])).toThrow('take a copy with plain(value)');
    expect(() => clone(plain(s[name]))).not.toThrow();
  });

  it('is printed as what it is, and printing it is no reading', () => {
    const { tracker, s } = track(sample());
    const part = s[name];
    void inspect(part); // nodes for all that is inside
    settle(tracker);
    expect(inspect(part)).toBe(inspect(sample()[name]));
    tracker.close('s');
    expect(inspect(part)).toBe(inspect(sample()[name]));
  });
});

describe('a Map that was handed out', () => {
  it('is the same at every reading, and costs no copy of what is inside', () => {
    const { slots, s } = track(sample());
    const raw = slots.get('map');
    expect([s.map === s.map, s.map.get('b') === s.map.get('b'), s.map.get('b') === [...s.map.values()][1]]).toEqual([
      true,
      true,
      true,
    ]);
    s.map.get('b').set('more', 3);
    expect(slots.get('map')).toBe(raw);
    expect((raw as Loose).get('b')).toEqual(
      new Map([
        ['deep', 2],
        ['more', 3],
      ]),
    );
  });

  it('by one tracker is of no use in the next', () => {
    const first = track(sample());
    const held = first.s.map;
    const inner = held.get('b');
    first.tracker.close('s');
    const { slots } = first;
    const second = track(Object.fromEntries(slots.values));
    second.s.map.set('a', 5);
    second.s.map.get('b').set('deep', 6);
    expectCode(() => held.set('a', 6), 'ERR_CLOSED');
    expectCode(() => inner.size, 'ERR_CLOSED');
    expect(plain(second.s.map)).toEqual(
      new Map<unknown, unknown>([
        ['a', 5],
        ['b', new Map([['deep', 6]])],
        ['c', { n: 3 }],
      ]),
    );
  });

  it('lends its methods to others', () => {
    const { s } = track(sample());
    const { set } = s.map;
    const own = new Map();
    set.call(own, 'k', 1);
    expect(own.get('k')).toBe(1);
    expect(() => set.call({}, 'k', 1)).toThrow(TypeError);
  });
});

describe('a Map that the application assigns', () => {
  it('is not changed by being assigned, nor is what holds it, where parts of the state are inside', () => {
    const { s } = track(sample());
    const mine = { first: s.list[0], map: new Map([[s.list[1], s.user]]), set: new Set([s.user.address]) };
    const { first, map } = mine;
    s.a = mine;
    s.a.first.n = 50;
    s.a.map.get([...s.a.map.keys()][0]).name = 'Eve';
    expect([mine.first === first, mine.map === map, map.has(s.list[1]), mine.set.has(s.user.address)]).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect([s.list[0].n, s.user.name]).toEqual([1, 'Ada']);
  });

  it('is copied when it is frozen, as immer leaves it', () => {
    const { s } = track({});
    const frozen = produce(new Map([['k', new Set(['x'])]]), (draft) => void draft.get('k')?.add('y'));
    s.a = frozen;
    s.a.set('more', new Set());
    s.a.get('k').add('z');
    expect(plain(s.a)).toEqual(
      new Map([
        ['k', new Set(['x', 'y', 'z'])],
        ['more', new Set()],
      ]),
    );
    expect([...frozen.keys()]).toEqual(['k']);
  });

  it('is found again by the object that was put in', () => {
    const { s } = track({ list: [] });
    const mine = new Map([['k', 1]]);
    s.list.push(mine);
    expect([s.list.includes(mine), s.list.indexOf(mine)]).toEqual([true, 0]);
  });

  it('in a web of shared and circular parts ends, and quickly', () => {
    const { s } = track(sample());
    for (const inmost of [{}, { part: s.list[0] }]) {
      let web: Loose = inmost;
      for (let i = 0; i < 60; i += 1)
        web = {
          map: new Map([
            ['web', web],
            ['again', web],
          ]),
          a: web,
          b: web,
        };
      s.web = web;
      s.web = web;
      // and refused when it is saved: values, not references
      expect([s.web.a === s.web.b, s.web.map.get('web') === s.web.a]).toEqual([true, true]);
    }
    let maps: Loose = new Map([['part', s.list[0]]]);
    for (let i = 0; i < 60; i += 1)
      maps = new Map([
        ['a', maps],
        ['b', maps],
      ]);
    s.maps = maps;
    expect(s.maps.get('a') === s.maps.get('b')).toBe(true);
    const ring = new Map<string, unknown>();
    ring.set('ring', ring).set('again', { ring });
    s.ring = ring;
    expect(s.ring.get('ring') === s.ring).toBe(true);
  });
});
