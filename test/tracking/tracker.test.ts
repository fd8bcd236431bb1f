import { inspect, isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { formatPath } from '../../ts/path.ts';
import { plain, unwrap } from '../../ts/tracking/tracker.ts';
import { encoded, expectCode, settle, track, type Loose } from './fixture.ts';

const sample = (): Loose => ({
  user: { name: 'Ada', address: { city: 'London' } },
  list: [{ n: 3 }, { n: 1 }, { n: 2 }],
  map: new Map<unknown, unknown>([
    ['a', { n: 1 }],
    ['b', { n: 2 }],
  ]),
  set: new Set<unknown>([{ n: 1 }, 'x']),
  when: new Date(1_000),
  bytes: Buffer.from([1, 2, 3]),
  count: 1,
});

/** Changes `s` and, the same, a plain mirror: both must end alike, with just `name` written. */
const WRITES: [string, string, (s: Loose) => unknown][] = [
  ['assign an attribute', 'count', (s) => (s.count = 2)],
  ['a new attribute', 'fresh', (s) => (s.fresh = { a: [1] })],
  ['delete an attribute', 'count', (s) => delete s.count],
  ['nested set', 'user', (s) => (s.user.address.city = 'Paris')],
  ['nested new key', 'user', (s) => (s.user.address.zip = 75_001)],
  ['nested delete', 'user', (s) => delete s.user.address.city],
  ['Object.assign', 'user', (s) => Object.assign(s.user, { name: 'Bob', age: 5 })],
  ['defineProperty', 'user', (s) => Object.defineProperty(s.user, 'name', { value: 'Eve' })],
  ['Reflect.set', 'user', (s) => Reflect.set(s.user, 'name', 'Eve')],
  ['index', 'list', (s) => (s.list[1] = { n: 9 })],
  ['inside an element', 'list', (s) => s.list[1].n++],
  ['past the end', 'list', (s) => (s.list[5] = 1)],
  ['length', 'list', (s) => (s.list.length = 1)],
  ['longer length', 'list', (s) => (s.list.length = 7)],
  ['delete an element', 'list', (s) => delete s.list[0]],
  ['push', 'list', (s) => s.list.push({ n: 4 }, 5)],
  ['pop', 'list', (s) => s.list.pop()],
  ['shift', 'list', (s) => s.list.shift()],
  ['unshift', 'list', (s) => s.list.unshift({ n: 0 })],
  ['splice', 'list', (s) => s.list.splice(1, 1, { n: 7 }, { n: 8 })],
  ['splice to the end', 'list', (s) => s.list.splice(1)],
  ['splice of nothing', 'list', (s) => s.list.splice()],
  ['sort', 'list', (s) => s.list.sort((a: Loose, b: Loose) => a.n - b.n)],
  ['reverse', 'list', (s) => s.list.reverse()],
  ['fill', 'list', (s) => s.list.fill(0, 1)],
  ['copyWithin of values', 'list', (s) => s.list.fill(0).copyWithin(0, 1)],
  ['borrowed push', 'list', (s) => Array.prototype.push.call(s.list, 1)],
  ['swap', 'list', (s) => ([s.list[0], s.list[1]] = [s.list[1], s.list[0]])],
  ['filter and assign', 'list', (s) => (s.list = s.list.filter((item: Loose) => item.n > 1))],
  ['map and assign', 'list', (s) => (s.list = s.list.map((item: Loose) => ({ ...item, extra: true })))],
  [
    'in forEach',
    'list',
    (s) =>
      s.list.forEach((item: Loose) => {
        item.n *= 2;
      }),
  ],
  [
    'in for of',
    'list',
    (s) => {
      for (const item of s.list) item.seen = true;
    },
  ],
  ['found element', 'list', (s) => (s.list.find((item: Loose) => item.n === 2).n = 20)],
  ['popped and put back', 'list', (s) => s.list.unshift(s.list.pop())],
  ['spliced and put back', 'list', (s) => s.list.push(...s.list.splice(0, 2))],
  [
    'moved inside',
    'user',
    (s) => {
      s.user.home = s.user.address;
      delete s.user.address;
      s.user.home.city = 'Rome';
    },
  ],
  ['spread and assign', 'user', (s) => (s.user = { ...s.user, name: 'Eve' })],
  ['Map.set', 'map', (s) => s.map.set('c', { n: 3 }).set('d', 4)],
  ['inside a Map value', 'map', (s) => s.map.get('a').n++],
  ['Map.delete', 'map', (s) => s.map.delete('a')],
  ['Map.clear', 'map', (s) => s.map.clear()],
  ['in Map.forEach', 'map', (s) => s.map.forEach((value: Loose) => value.n++)],
  [
    'in Map iteration',
    'map',
    (s) => {
      for (const [, value] of s.map) value.n++;
    },
  ],
  [
    'in Map values',
    'map',
    (s) => {
      for (const value of s.map.values()) value.n = 0;
    },
  ],
  [
    'Map key objects',
    'map',
    (s) => {
      const key = { k: 1 };
      s.map.set(key, 1);
      s.map.set(key, 2);
      for (const k of s.map.keys()) if (typeof k === 'object') k.k = 2;
    },
  ],
  ['Set.add', 'set', (s) => s.set.add('y').add('z')],
  ['Set.delete', 'set', (s) => s.set.delete('x')],
  ['Set.clear', 'set', (s) => s.set.clear()],
  [
    'inside a Set element',
    'set',
    (s) => {
      for (const element of s.set) if (typeof element === 'object') element.n = 5;
    },
  ],
  [
    'in Set.forEach',
    'set',
    (s) =>
      s.set.forEach((element: Loose) => {
        if (typeof element === 'object') element.n = 6;
      }),
  ],
  ['delete a Set element', 'set', (s) => s.set.delete([...s.set][0])],
];

describe('writes', () => {
  it.each(WRITES)('%s', (_name, attribute, write) => {
    const { tracker, slots, s } = track(sample());
    const mirror = sample();
    write(s);
    write(mirror);
    expect(isDeepStrictEqual(Object.fromEntries(slots.values), mirror)).toBe(true);
    expect([...tracker.writeSet]).toEqual([attribute]);
    expect(tracker.tracked()).toEqual([attribute]);
    expect(encoded(slots, attribute)).not.toBe('');
    settle(tracker);
    expect([tracker.tracked(), [...tracker.readSet], [...tracker.writeSet]]).toEqual([[], [], []]);
  });

  it('through what was held across a save', () => {
    const { tracker, s } = track(sample());
    const { address } = s.user;
    address.city = 'Rome';
    settle(tracker);
    address.city = 'Oslo';
    expect(tracker.tracked()).toEqual(['user']);
  });

  it('between capture and settle belong to the next save', () => {
    const { tracker, s } = track(sample(), { saveMode: 'mutable-access' });
    s.user.name = 'Bob';
    s.count = 3;
    const capture = tracker.capture();
    expect(capture.touched).toEqual(['user', 'count']);
    s.user.name = 'Eve';
    void s.list.length;
    tracker.settle(capture);
    expect([tracker.tracked(), [...tracker.writeSet]]).toEqual([['user', 'list'], ['user']]);
    tracker.capture();
    expect(tracker.tracked()).toEqual(['user', 'list']); // the save failed: settle was not called
    settle(tracker);
    expect(tracker.tracked()).toEqual([]);
  });

  it('that were captured cost a save nothing for the attributes that were not', () => {
    const { tracker, slots, s } = track(
      Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`a${i}`, { n: i }])),
    );
    for (let i = 0; i < 1000; i++) void s[`a${i}`].n;
    settle(tracker);
    s.a7.n = 0;
    slots.names = () => {
      throw new Error('all were looked at');
    };
    const capture = tracker.capture();
    expect(capture.touched).toEqual(['a7']);
    tracker.settle(capture);
    expect(tracker.capture().touched).toEqual([]);
  });
});

/** Reads `s` and a plain mirror: the results must be alike, and nothing written. */
const READS: [string, (s: Loose) => unknown][] = [
  ['attribute', (s) => s.count],
  ['undeclared or absent', (s) => s.nothing],
  ['nested', (s) => s.user.address.city],
  ['keys', (s) => Object.keys(s)],
  ['entries', (s) => Object.entries(s)],
  ['spread', (s) => ({ ...s })],
  ['in', (s) => ['count' in s, 'none' in s, 'toString' in s]],
  ['hasOwn', (s) => [Object.hasOwn(s, 'count'), Object.hasOwn(s, 'toString'), s.hasOwnProperty('count')]],
  [
    'for in',
    (s) => {
      const keys = [];
      for (const key in s) keys.push(key);
      return keys;
    },
  ],
  ['JSON', (s) => JSON.stringify(s)],
  ['nested JSON', (s) => JSON.stringify(s.user)],
  ['String', (s) => String(s)],
  ['typeof', (s) => typeof s.list],
  ['nested keys', (s) => [Object.keys(s.user), Reflect.ownKeys(s.list), Object.getOwnPropertyNames(s.list)]],
  ['nested in', (s) => ['name' in s.user, 1 in s.list, 9 in s.list]],
  ['descriptors', (s) => Object.getOwnPropertyDescriptors(s.user)],
  ['array descriptors', (s) => Object.getOwnPropertyDescriptors(s.list)],
  [
    'isArray',
    (s) => [
      Array.isArray(s.list),
      s.list instanceof Array,
      s.map instanceof Map,
      s.set instanceof Set,
      s.when instanceof Date,
      Buffer.isBuffer(s.bytes),
    ],
  ],
  ['tags', (s) => [s.list, s.map, s.set, s.when, s].map((value) => Object.prototype.toString.call(value))],
  ['map', (s) => s.list.map((item: Loose) => item.n)],
  ['reduce', (s) => s.list.reduce((sum: number, item: Loose) => sum + item.n, 0)],
  ['slice', (s) => s.list.slice(1)],
  ['concat', (s) => s.list.concat([{ n: 4 }], s.list)],
  ['array spread', (s) => [...s.list]],
  ['at', (s) => s.list.at(-1)],
  ['flat', (s) => [s.list].flat()],
  ['join', (s) => s.list.join()],
  ['array entries', (s) => [...s.list.entries()]],
  [
    'destructuring',
    (s) => {
      const [a, ...rest] = s.list;
      return [a, rest];
    },
  ],
  ['toSorted', (s) => s.list.toSorted((a: Loose, b: Loose) => a.n - b.n)],
  ['findLast', (s) => s.list.findLast((item: Loose) => item.n > 1)],
  ['Array.from', (s) => Array.from(s.list)],
  [
    'search',
    (s) => [
      s.list.indexOf(s.list[1]),
      s.list.includes(s.list[2]),
      s.list.lastIndexOf(s.list[0]),
      s.list.includes({ n: 3 }),
      s.list.indexOf(s.list[1], 2),
    ],
  ],
  [
    'Map',
    (s) => [
      s.map.size,
      s.map.has('a'),
      s.map.get('none'),
      [...s.map],
      [...s.map.keys()],
      [...s.map.values()],
      [...s.map.entries()],
    ],
  ],
  ['copy of a Map', (s) => new Map(s.map)],
  [
    'Map.forEach',
    (s) => {
      const seen: unknown[] = [];
      s.map.forEach((value: Loose, key: Loose, map: Loose) => seen.push(value.n, key, map === s.map));
      return seen;
    },
  ],
  [
    'Set',
    (s) => [s.set.size, s.set.has('x'), s.set.has([...s.set][0]), [...s.set], [...s.set.entries()], [...s.set.keys()]],
  ],
  ['copy of a Set', (s) => new Set(s.set)],
  ['Date', (s) => [s.when.getTime(), s.when.toISOString(), +s.when, new Date(s.when)]],
  ['bytes', (s) => [s.bytes.toString('hex'), s.bytes[0], s.bytes.equals(Buffer.from([1, 2, 3]))]],
  [
    'identity',
    (s) => [
      s.user === s.user,
      s.user.address === s.user.address,
      s.list[0] === s.list.at(0),
      s.map.get('a') === [...s.map.values()][0],
      s.when === s.when,
      s.list.push === s.list.push,
    ],
  ],
  ['Array method borrowed for others', (s) => s.list.push.call([1], 2)],
  ['structured clone of a plain copy', (s) => structuredClone(plain(s))],
];

describe('reads', () => {
  it.each(READS)('%s', (_name, read) => {
    const { tracker, s } = track(sample());
    expect(isDeepStrictEqual(plain(read(s)), read(sample()))).toBe(true);
    expect([...tracker.writeSet]).toEqual([]);
    settle(tracker);
    expect(tracker.tracked().filter((name) => name !== 'bytes')).toEqual([]);
  });

  it('note the attribute, at first touch and again after a save', () => {
    const { tracker, s } = track(sample());
    const { user } = s;
    Object.keys(s);
    expect([...tracker.readSet]).toEqual(['user']);
    settle(tracker);
    void user.name;
    expect([...tracker.readSet]).toEqual(['user']);
  });

  it('await and inspection find no hook', async () => {
    const { tracker, s } = track({ ...sample(), then: 'x', toJSON: 'y', constructor: 'z' });
    expect(await Promise.resolve(s)).toBe(s);
    expect([s.then, s.constructor, `${typeof s[Symbol.toPrimitive]}`]).toEqual(['x', 'z', 'undefined']);
    expect(inspect(track({ a: { b: 1 } }).s)).toBe('{ a: { b: 1 } }');
    expect(tracker.tracked()).toEqual([]);
    const bare = track({}).s;
    expect([await bare, bare.then, bare.constructor, bare.toJSON]).toEqual([bare, undefined, Object, undefined]);
  });

  it('listing names decodes nothing', () => {
    const { slots, s } = track({ a: 1, b: 2 });
    slots.get = () => {
      throw new Error('decoded');
    };
    expect([Object.keys(s), 'a' in s, Object.hasOwn(s, 'b')]).toEqual([['a', 'b'], true, true]);
  });
});

describe('values assigned', () => {
  it('hold no proxies inside', () => {
    const { slots, s } = track(sample());
    s.list = [{ wrap: s.list[0] }, new Map([[s.list[1], new Set([s.list[2]])]])];
    s.user = Object.freeze({ deep: Object.freeze([s.user.address]) });
    expect(isDeepStrictEqual(slots.get('list'), [{ wrap: { n: 3 } }, new Map([[{ n: 1 }, new Set([{ n: 2 }])]])])).toBe(
      true,
    );
    expect(structuredClone(slots.get('list'))).toBeTruthy();
    expect(structuredClone(slots.get('user'))).toEqual({ deep: [{ city: 'London' }] });
  });

  it.each([
    ['an attribute', (s: Loose) => (s.copy = s.user), (s: Loose) => s.copy],
    ['a part', (s: Loose) => (s.copy = { in: s.user.address }), (s: Loose) => s.copy.in],
    ['a part into a part', (s: Loose) => s.list.push(s.user), (s: Loose) => s.list[3]],
    [
      'a raw value again',
      (s: Loose) => {
        const o = { a: 1 };
        s.user = o;
        s.copy = o;
      },
      (s: Loose) => s.copy,
    ],
    [
      'a raw part again',
      (s: Loose) => {
        const o = { a: 1 };
        s.user = { o };
        s.copy = { o };
      },
      (s: Loose) => s.copy.o,
    ],
    ['the value behind a proxy', (s: Loose) => (s.copy = unwrap(s.user)), (s: Loose) => s.copy],
    ["a Map's value", (s: Loose) => (s.copy = new Map([['u', s.user]])), (s: Loose) => s.copy.get('u')],
    ['what was removed', (s: Loose) => (s.copy = s.list.pop()), (s: Loose) => s.copy],
  ])('%s of one attribute become values of another', (_name, assign, place) => {
    const { slots, s } = track(sample());
    assign(s);
    const before = ['user', 'list'].map((name) => encoded(slots, name));
    const own = place(s);
    own.extra = 1;
    expect([encoded(slots, 'user'), encoded(slots, 'list')].filter((bytes, i) => bytes !== before[i]).length).toBe(
      own === s.list[3] ? 1 : 0,
    );
    expect(plain(place(s)).extra).toBe(1);
  });

  it('of another session are copied', () => {
    const a = track(sample());
    const b = track(sample());
    b.s.user = a.s.user;
    b.s.all = a.s;
    b.s.user.name = 'Bob';
    b.s.all.user.name = 'Eve';
    expect([a.s.user.name, [...a.tracker.writeSet]]).toEqual(['Ada', []]);
  });

  it('the same Date twice is two dates', () => {
    const { slots, s } = track({});
    const now = new Date(5);
    s.a = { created: now, updated: now };
    s.b = now;
    s.a.third = s.a.created;
    s.b.setTime(6);
    expect(slots.get('a')).toEqual({ created: new Date(5), updated: new Date(5), third: new Date(5) });
    expect(encoded(slots, 'a')).not.toBe('');
  });

  it('are found again by the object that was put in', () => {
    const { s } = track(sample());
    const item = { n: 9 };
    const frozen = Object.freeze({ n: 10 });
    s.list.push(item, frozen);
    const key = { k: 1 };
    const frozenKey = Object.freeze({ k: 2 });
    s.map.set(key, 'by object').set(frozenKey, 'by frozen');
    const member = Object.freeze({ n: 10 });
    s.set = new Set([member]);
    s.set.forEach((element: Loose) => {
      element.n = 11;
    });
    expect([
      s.list.indexOf(item),
      s.list.includes(frozen),
      s.list.includes(s.list[4]),
      s.list.includes(frozen),
    ]).toEqual([3, true, true, true]);
    expect([s.map.get(key), s.map.has(frozenKey), s.map.get([...s.map.keys()][2]), s.map.delete(frozenKey)]).toEqual([
      'by object',
      true,
      'by object',
      true,
    ]);
    expect([s.set.has(member), member.n, s.set.delete(member), s.set.size]).toEqual([true, 10, true, 0]);
  });

  it('that hold themselves, or lie too deep, end in an error and not a hang', () => {
    const { s } = track({});
    const cycle: Loose = { list: [] };
    cycle.list.push(cycle);
    s.a = cycle;
    s.b = s.a;
    expect(s.b.list[0] === s.b).toBe(true);
    let deep: Loose = {};
    for (let i = 0; i < 100_000; i++) deep = { deep };
    expectCode(() => (s.a = deep), 'ERR_LIMIT');
    expectCode(() => plain(deep), 'ERR_LIMIT');
  });

  it('pushed in their thousands', () => {
    const { s } = track({ list: [] });
    expect(s.list.push(...Array.from({ length: 50_000 }, (_, n) => ({ n })))).toBe(50_000);
    expect(s.list[49_999].n).toBe(49_999);
  });

  it('of a long gap cost no walk', () => {
    const { s } = track({});
    const far: unknown[] = [];
    far[4_000_000_000] = {};
    s.far = far;
    s.far[4_000_000_000].n = 1;
    expect(Object.keys(plain(s.far))).toEqual(['4000000000']);
  });
});

const deepFreeze = (value: Loose): Loose => {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
};

describe('frozen values', () => {
  it.each([
    ['assigned', (s: Loose, value: Loose) => (s.a = value)],
    ['inside', (s: Loose, value: Loose) => (s.a = { ...value })],
    [
      'pushed',
      (s: Loose, value: Loose) => {
        s.a = [];
        s.a.push(value);
        s.a = s.a[0];
      },
    ],
  ])('%s, can be changed and are tracked', (_name, assign) => {
    const { tracker, slots, s } = track({});
    const value = deepFreeze({ list: [{ n: 1 }, { n: 2 }], bare: Object.assign(Object.create(null), { x: {} }) });
    assign(s, value);
    settle(tracker);
    expect([s.a.list[0].n, tracker.tracked()]).toEqual([1, []]);
    s.a.list[1].n = 5;
    s.a.bare.x.y = 1;
    s.a.list.sort((a: Loose, b: Loose) => b.n - a.n);
    expect(tracker.tracked()).toEqual(['a']);
    expect(
      isDeepStrictEqual(slots.get('a'), {
        list: [{ n: 5 }, { n: 1 }],
        bare: Object.assign(Object.create(null), { x: { y: 1 } }),
      }),
    ).toBe(true);
    expect(value.list[1].n).toBe(2);
  });

  it.each([
    [
      'sort',
      (list: Loose) =>
        list.sort((a: Loose, b: Loose) => {
          a.hit = true;
          return b.n - a.n;
        }),
      [{ n: 2, hit: true }, { n: 1 }],
    ],
    [
      'pop',
      (list: Loose) => {
        list.pop().n = 9;
      },
      [{ n: 1 }],
    ],
    [
      'for of',
      (list: Loose) => {
        for (const item of list) item.n = 0;
      },
      [{ n: 0 }, { n: 0 }],
    ],
    [
      'entries',
      (list: Loose) =>
        Object.entries(list).forEach(([, item]: Loose) => {
          item.n = 0;
        }),
      [{ n: 0 }, { n: 0 }],
    ],
    [
      'descriptor',
      (list: Loose) => {
        Object.getOwnPropertyDescriptor(list, 0)!.value.n = 7;
      },
      [{ n: 7 }, { n: 2 }],
    ],
  ])('in an array, by %s', (_name, change, expected) => {
    const { slots, s } = track({ a: deepFreeze([{ n: 1 }, { n: 2 }]) });
    change(s.a);
    expect(plain(slots.get('a'))).toEqual(expected);
  });

  it('in Maps and Sets, in their order', () => {
    const { slots, s } = track({
      m: new Map([
        [deepFreeze({ k: 1 }), deepFreeze({ n: 1 })],
        [{ k: 2 }, { n: 2 }],
      ]),
      t: new Set([1, deepFreeze({ n: 1 }), 2]),
    });
    for (const [key, value] of s.m) {
      key.k += 10;
      value.n += 10;
    }
    for (const element of s.t) if (typeof element === 'object') element.n = 5;
    s.t.add(deepFreeze({ n: 6 }));
    expect([[...(slots.get('m') as Map<unknown, unknown>)], [...(slots.get('t') as Set<unknown>)]]).toEqual([
      [
        [{ k: 11 }, { n: 11 }],
        [{ k: 12 }, { n: 12 }],
      ],
      [1, { n: 5 }, 2, { n: 6 }],
    ]);
  });
});

describe('opaque values', () => {
  it('are the values themselves, and changes in place are noticed at every save', () => {
    const { tracker, s } = track({ when: { at: new Date(1) }, bytes: Buffer.alloc(2), untouched: new Date(1) });
    const { at } = s.when;
    expect(at.getTime()).toBe(1);
    expect(tracker.tracked()).toEqual([]);
    for (let save = 0; save < 3; save++) {
      at.setTime(100 + save);
      const capture = tracker.capture();
      expect(capture.touched).toEqual(['when']);
      tracker.settle(capture);
      expect(tracker.tracked()).toEqual([]);
    }
    s.bytes[0] = 1;
    expect(tracker.tracked()).toEqual(['bytes']);
    settle(tracker);
    expect(tracker.tracked()).toEqual(['bytes']);
  });

  it('a Date changed between capture and settle is noticed', () => {
    const { tracker, s } = track({ at: new Date(1) });
    s.at.setTime(2);
    const capture = tracker.capture();
    s.at.setTime(3);
    tracker.settle(capture);
    expect(tracker.tracked()).toEqual(['at']);
  });

  it('a Date first read between capture and settle, and changed there, is noticed', () => {
    const { tracker, s } = track({ at: new Date(1), other: new Date(1) });
    s.other.setTime(2);
    const capture = tracker.capture();
    s.at.setTime(3);
    tracker.settle(capture);
    expect(tracker.tracked()).toEqual(['at']);
    settle(tracker);
    expect(tracker.tracked()).toEqual([]);
  });

  it('through collections, callbacks and iteration', () => {
    const { tracker, s } = track({ m: new Map([['d', new Date(1)]]), l: [new Date(1)], t: new Set([new Date(1)]) });
    for (const date of [s.m.get('d'), s.l.find(() => true), ...s.t]) date.setTime(9);
    expect(tracker.tracked()).toEqual(['m', 'l', 't']);
  });

  it('many dates, of which most are dropped', () => {
    const { tracker, s } = track({ a: {} });
    for (let i = 0; i < 1_000; i++) {
      s.a.at = new Date(i);
      s.a.at.setTime(i + 1);
    }
    settle(tracker);
    s.a.at.setTime(0);
    expect(tracker.tracked()).toEqual(['a']);
  });
});

describe('classes', () => {
  const classes = { im: 'immutable', un: 'unclassified', mu: 'mutable' } as const;
  const values = (): Loose => ({
    im: { list: [{ n: 1 }], at: new Date(1), m: new Map([['k', { n: 1 }]]) },
    un: { n: 1 },
    mu: { n: 1 },
    other: { n: 1 },
  });

  it.each([
    ['set again', (s: Loose) => (s.im = 1), 'im'],
    ['deleted', (s: Loose) => delete s.im, 'im'],
    ['nested set', (s: Loose) => (s.im.list[0].n = 2), 'im.list[0].n'],
    ['nested new key', (s: Loose) => (s.im['new key'] = 2), 'im["new key"]'],
    ['nested delete', (s: Loose) => delete s.im.list, 'im.list'],
    ['push', (s: Loose) => s.im.list.push(1), 'im.list'],
    ['sort', (s: Loose) => s.im.list.sort(), 'im.list'],
    ['Map.set', (s: Loose) => s.im.m.set('a', 1), 'im.m'],
    ['inside a Map', (s: Loose) => (s.im.m.get('k').n = 2), 'im.m.get("k").n'],
    ['defineProperty', (s: Loose) => Object.defineProperty(s.im, 'list', { value: 1 }), 'im.list'],
  ])('immutable: %s is refused, naming the path', (_name, write, path) => {
    const { tracker, slots, s } = track(values(), { classes, saveMode: 'all' });
    expect(expectCode(() => write(s), 'ERR_INVALID').paths?.map(formatPath)).toEqual([path]);
    expect(isDeepStrictEqual(slots.get('im'), values().im)).toBe(true);
    expect(tracker.writeSet.size).toBe(0);
  });

  it('a refusal names the place where a part is now, and looks only on the way there', () => {
    const { s, slots } = track(
      {
        im: {
          big: Array.from({ length: 5 }, (_, n) => ({ n })),
          deep: { list: [{ n: 1 }, { n: 2 }] },
          m: new Map([[{ k: 1 }, { v: 1 }]]),
        },
      },
      { classes: { im: 'immutable' } },
    );
    const held = s.im.deep.list[1];
    const pathOf = (write: () => unknown): string | undefined =>
      expectCode(write, 'ERR_INVALID').paths?.map(formatPath)[0];
    const raw = slots.get('im') as Loose;
    const unread = Object.defineProperty({}, 'trap', {
      enumerable: true,
      get: () => {
        throw new Error('was looked at');
      },
    });
    raw.big.push(unread);
    expect(pathOf(() => (held.n = 5))).toBe('im.deep.list[1].n');
    raw.big.pop();
    raw.deep.list.unshift({ n: 0 }); // behind its back
    expect(pathOf(() => (held.n = 5))).toBe('im.deep.list[2].n');
    raw.moved = raw.deep;
    delete raw.deep;
    expect(pathOf(() => (held.n = 5))).toBe('im.moved.list[2].n');
    expect(pathOf(() => ([...s.im.m.keys()][0].k = 5))).toBe('im.m.keys()[0].k');
    expect(pathOf(() => ([...s.im.m.values()][0].v = 5))).toBe('im.m.values()[0].v');
  });

  it('immutable: set once while absent, then read-only at once; Dates and bytes are copies', () => {
    const { tracker, slots, s } = track({}, { classes, saveMode: 'access' });
    const mine = { a: [1], at: new Date(1) };
    s.im = mine;
    mine.a.push(2);
    mine.at.setTime(5);
    expectCode(() => s.im.a.push(3), 'ERR_INVALID');
    expect([tracker.tracked(), slots.get('im')]).toEqual([['im'], { a: [1], at: new Date(1) }]);
    settle(tracker);
    void s.im.a[0];
    expect(tracker.tracked()).toEqual([]);
  });

  it.each([
    ['write', ['other']],
    ['mutable-access', ['mu', 'other']],
    ['access', ['un', 'mu', 'other']],
    ['all', ['un', 'mu', 'other', 'idle']],
  ] as const)('save mode %s', (saveMode, expected) => {
    const { tracker, s } = track({ ...values(), idle: 1 }, { classes, saveMode });
    void [s.im.list[0].n, s.un.n, s.mu.n];
    s.other.n = 2;
    expect(tracker.tracked()).toEqual(expected);
    settle(tracker);
    expect(tracker.tracked()).toEqual(saveMode === 'all' ? expected : []);
    delete s.other;
    s.un.n = 3;
    expect(tracker.tracked()).toEqual(saveMode === 'all' ? ['un', 'mu', 'idle', 'other'] : ['other', 'un']);
  });

  it('undeclared names read as undefined and cannot be set', () => {
    const { s } = track({ known: 1, old: 2 }, { classes: { known: 'mutable' }, others: null });
    expect([s.old, Object.keys(s), 'old' in s, delete s.none]).toEqual([undefined, ['known'], false, true]);
    const error = expectCode(() => (s.old = 1), 'ERR_INVALID');
    expect([error.paths, /`undeclared`/.test(error.message)]).toEqual([[['old']], true]);
    expectCode(() => (s[Symbol('x')] = 1), 'ERR_INVALID');
    expectCode(() => (s.__proto__ = {}), 'ERR_INVALID');
  });
});

describe('what would be lost is refused', () => {
  it.each([
    ['symbol key', (s: Loose) => (s.user[Symbol('x')] = 1)],
    ['named property of an array', (s: Loose) => (s.list.total = 1)],
    ['negative index', (s: Loose) => (s.list[-1] = 1)],
    ['fraction as index', (s: Loose) => (s.list[1.5] = 1)],
    ['index with a leading 0', (s: Loose) => (s.list['01'] = 1)],
    ['index past the longest array', (s: Loose) => (s.list[2 ** 32 - 1] = 1)],
    ['name that begins as an index', (s: Loose) => (s.list['1x'] = 1)],
    [
      'accessor',
      (s: Loose) => Object.defineProperty(s.user, 'x', { get: () => 1, enumerable: true, configurable: true }),
    ],
    ['hidden property', (s: Loose) => Object.defineProperty(s.user, 'x', { value: 1 })],
    ['prototype', (s: Loose) => Object.setPrototypeOf(s.user, Array.prototype)],
    ['__proto__', (s: Loose) => (s.user.__proto__ = { a: 1 })],
    ['freezing in place', (s: Loose) => Object.freeze(s.user)],
    ['prototype of the state', (s: Loose) => Object.setPrototypeOf(s, null)],
    ['freezing the state', (s: Loose) => Object.freeze(s)],
    ['accessor on the state', (s: Loose) => Object.defineProperty(s, 'x', { get: () => 1 })],
  ])('%s', (_name, write) => {
    const { slots, s } = track(sample());
    expectCode(() => write(s), 'ERR_INVALID');
    expect(isDeepStrictEqual(Object.fromEntries(slots.values), sample())).toBe(true);
  });

  it.each<[string, (s: Loose, array: Loose) => unknown]>([
    ['assigned', (s, array) => (s.fresh = array)],
    ['inside', (s, array) => (s.user.in = { array })],
    ['pushed', (s, array) => s.list.push(array)],
    ['in a Map', (s, array) => s.map.set('k', array)],
    ['frozen', (s, array) => (s.fresh = Object.freeze(array))],
  ])('a named property of an array that is %s', (_name, assign) => {
    const { slots, s } = track(sample());
    const error = expectCode(() => assign(s, Object.assign([1, 2], { total: 3 })), 'ERR_INVALID');
    expect(error.message).toContain('"total"');
    expect(isDeepStrictEqual(Object.fromEntries(slots.values), sample())).toBe(true);
    expect(() => assign(s, ['1x'])).not.toThrow();
  });

  it('properties of a Map, also of its methods\u2019 names', () => {
    const { slots, s } = track(sample());
    expect(() => (s.map.total = 1)).toThrow(TypeError);
    expect(() => (s.map.set = 1)).toThrow(TypeError);
    expect(Object.freeze(s.map).set('c', 1).size).toBe(3); // freezes no entries, as ever
    expect(isDeepStrictEqual(slots.get('map'), new Map<unknown, unknown>([...sample().map, ['c', 1]]))).toBe(true);
  });

  it('prototypes are not part of the state', () => {
    const { s } = track(sample());
    expect([
      s.user.__proto__ === Object.prototype,
      s.list.constructor === Array,
      Object.getPrototypeOf(s.map) === Map.prototype,
    ]).toEqual([true, true, true]);
    const heir = Object.create(s.user);
    heir.name = 'own';
    expect([s.user.name, heir.name]).toEqual(['Ada', 'own']);
  });

  it('a key named __proto__ that is there is an ordinary key', () => {
    const { slots, s } = track({ a: JSON.parse('{"__proto__":{"n":1}}') });
    s.a.__proto__.n = 2;
    expect(JSON.stringify(slots.get('a'))).toBe('{"__proto__":{"n":2}}');
    expect(JSON.stringify(plain(s.a))).toBe('{"__proto__":{"n":2}}');
  });
});

describe('close', () => {
  it.each([
    ['state', ({ s }: Loose) => s.count],
    ['set', ({ s }: Loose) => (s.count = 1)],
    ['keys', ({ s }: Loose) => Object.keys(s)],
    ['in', ({ s }: Loose) => 'count' in s],
    ['delete', ({ s }: Loose) => delete s.count],
    ['held', ({ user }: Loose) => user.name],
    ['held set', ({ user }: Loose) => (user.name = 1)],
    ['held keys', ({ user }: Loose) => Object.keys(user)],
    ['held in', ({ user }: Loose) => 'name' in user],
    ['held list', ({ list }: Loose) => list.push(1)],
    ['held method', ({ list, push }: Loose) => push.call(list, 1)],
    ['held Map', ({ map }: Loose) => map.size],
    ['held iterator', ({ iterator }: Loose) => iterator.next()],
    ['plain', ({ user }: Loose) => plain(user)],
    ['JSON', ({ s }: Loose) => JSON.stringify(s)],
    ['immutable', ({ fixed }: Loose) => fixed.a],
    ['immutable set', ({ fixed }: Loose) => (fixed.a = 1)],
  ])('%s throws', (_name, access) => {
    const { tracker, s } = track({ ...sample(), fixed: { a: 1 } }, { classes: { fixed: 'immutable' } });
    const held = {
      s,
      user: s.user,
      list: s.list,
      push: s.list.push,
      map: s.map,
      iterator: s.map.entries(),
      fixed: s.fixed,
    };
    held.iterator.next();
    held.user.name = 'written before';
    tracker.close('s');
    expectCode(() => access(held), 'ERR_CLOSED');
  });
});
