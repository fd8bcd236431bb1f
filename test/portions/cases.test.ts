import { describe, expect, it } from 'vitest';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { World } from './programs.ts';

/** Each line ends with a save. */
function worldOf(first: string, ...lines: string[]): World {
  const world = new World(first);
  for (const line of lines) saved(world, line);
  return world;
}

function saved(world: World, line: string): void {
  world.line(line);
  if (!world.save()) throw new Error(`refused: ${line}`);
}

/** The line is all that a use does. */
function used(world: World, line: string): World {
  world.line(line);
  world.reopen();
  return world;
}

const PAD = `pad: ${JSON.stringify('pad '.repeat(150))}`;

describe('a Date or bytes, handed out before they were saved for the first time,', () => {
  it.each([
    ['s.a.when = new Date(1); o.it = s.a.when', 'o.it.setTime(5)', { when: new Date(5) }],
    ['s.a.in = { when: new Date(1) }; o.it = s.a.in.when', 'o.it.setTime(5)', { in: { when: new Date(5) } }],
    [
      's.a.in = [{}]; s.a.in[0].when = new Date(1); o.it = s.a.in[0].when',
      'o.it.setTime(5)',
      { in: [{ when: new Date(5) }] },
    ],
    ['s.a.bytes = Buffer.alloc(2); o.it = s.a.bytes', 'o.it[1] = 5', { bytes: Buffer.from([0, 5]) }],
    ['s.a.in = { b: new Uint8Array(2) }; o.it = s.a.in.b', 'o.it[1] = 5', { in: { b: Uint8Array.of(0, 5) } }],
  ])('are part of the state after it: %s', (first, later, after) => {
    const world = worldOf(`{ n: 1, ${PAD} }`, first, later);
    expect(world.value).toMatchObject(after);
    used(world, 's.a.n = 2');
    expect(world.value).toMatchObject({ ...after, n: 2 });
  });
});

describe('an object that the application goes on holding', () => {
  it('is encoded whole at each save where no copy could take its place', () => {
    const line = 'o.mine = { n: 1 }; s.a.one = o.mine; s.a.two = s.a.one; delete s.a.one';
    const world = worldOf(`{ n: 1, ${PAD} }`, line, 'o.mine.n = 5; s.a.n = 2');
    expect(world.outcome).toMatchObject({ whole: 2 });
  });
});

describe('what is inside an object that was frozen', () => {
  it.each([
    ['s.a.x = Object.freeze({ in: o.in }); s.a.x.in', 's.a.x.in.n', { x: { in: { n: 1 } } }],
    ['s.a = Object.freeze({ in: o.in }); s.a.in', 's.a.in.n', { in: { n: 1 } }],
    ['s.a.x = [Object.freeze([o.in])]; s.a.x[0][0].n', 's.a.x[0][0].n', { x: [[{ n: 1 }]] }],
  ])('is the application’s alone after the save: %s', (line, at, after) => {
    const world = worldOf(`{ ${PAD} }`, `o.in = { n: 1 }; ${line}`);
    saved(world, 'o.in.n = 2; s.a.y = 1');
    expect(world.value).toMatchObject(after);
    saved(world, `${at} = 3`);
    expect(world.held.in).toEqual({ n: 2 });
  });
});

describe('a Map with keys of equal content', () => {
  it('has the write under the one that was written to', () => {
    const world = worldOf(`{ map: new Map([[{ k: 1 }, { n: 1 }], [{ k: 1 }, { n: 2 }]]), ${PAD} }`);
    saved(world, '[...s.a.map.values()][1].n = 3');
    expect([...world.value.map.values()]).toEqual([{ n: 1 }, { n: 3 }]);
  });
});

describe('a key that every object inherits', () => {
  it.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf'])('comes last when it comes again: %s', (key) => {
    const world = worldOf(`{ ${key}: 1, ${PAD} }`, `delete s.a.${key}; s.a.${key} = 2`, `s.a.${key} = 3`);
    expect(Object.keys(world.value)).toEqual(['pad', key]);
    expect(world.outcome).toMatchObject({ spliced: 2 });
    const other = worldOf(`{ n: 1, ${PAD} }`, `s.a.${key} = 2`, `delete s.a.${key}`);
    expect(other.outcome).toMatchObject({ spliced: 2 });
  });
});

describe('a value that is assigned whole', () => {
  it('and cannot be read at the save is still there after it', () => {
    const world = worldOf(`{ n: 1, ${PAD} }`);
    world.line(`o.mine = { n: 2, ${PAD}, x: 1 }; s.a = o.mine`);
    world.line(
      'Object.defineProperty(o.mine, "x", { get() { throw new Error("no") }, enumerable: true, configurable: true })',
    );
    expect(world.save()).toBe(false);
    world.line('Object.defineProperty(o.mine, "x", { value: 3 })');
    expect(world.save()).toBe(true);
    expect(world.value).toMatchObject({ n: 2, x: 3 });
  });

  it.each([
    ['a part beside what takes its place', '{ p: { n: 2 }, q: s.a.p }', { p: { n: 2 }, q: { n: 1 } }],
    ['the whole one before', '{ p: 2, before: s.a }', { p: 2, before: { p: { n: 1 } } }],
    ['a part where its holder was', '{ p: s.a.p, q: { p: { n: 3 } } }', { p: { n: 1 }, q: { p: { n: 3 } } }],
  ])('may hold %s', (_name, assigned, { p, ...others }) => {
    const { value } = used(worldOf(`{ p: { n: 1 }, ${PAD} }`), `s.a = ${assigned}`);
    expect(value).toMatchObject({ p, ...others });
  });

  it('may hold an element of a list beside others in its place', () => {
    const first = `{ list: [{ n: 1 }, { n: 2 }], map: new Map([['m', { n: 3 }]]), ${PAD} }`;
    const { value } = used(
      worldOf(first),
      's.a = { list: [{ n: 1 }, { n: 5 }], map: new Map([["m", { n: 4 }]]), one: s.a.list[0], two: s.a.list[1], m: s.a.map.get("m") }',
    );
    expect([value.list, value.one, value.two]).toEqual([[{ n: 1 }, { n: 5 }], { n: 1 }, { n: 2 }]);
    expect([value.map.get('m'), value.m]).toEqual([{ n: 4 }, { n: 3 }]);
  });

  it('leaves what was handed out of the one before as it was, over saves', () => {
    const world = worldOf(`{ n: 1, p: { n: 1 }, ${PAD} }`);
    saved(world, 'o.old = s.a; o.p = s.a.p; s.a = { n: 2, p: { n: 2 }, pad: s.a.pad }');
    expect([world.held.old.n, world.held.p.n]).toEqual([1, 1]);
    world.line('o.old.n = 3; o.p.n = 3');
    expect(world.value).toMatchObject({ n: 2, p: { n: 2 } });
  });
});

describe('what the application puts into an object of its own after it was assigned', () => {
  it.each(['list', 'more'])('may be a part of the state: as %s', (key) => {
    const world = worldOf(`{ n: 1, list: [{ n: 1 }, { n: 2 }], ${PAD} }`);
    used(world, `o.list = s.a.list; o.mine = { n: 2, list: [], ${PAD} }; s.a = o.mine; o.mine.${key} = o.list`);
    expect(world.value[key]).toEqual([{ n: 1 }, { n: 2 }]);
    used(world, `s.a.${key}[0].n = 9`);
    expect(world.value[key]).toEqual([{ n: 9 }, { n: 2 }]);
  });
});

describe('an object whose part of the state was put in after it was assigned', () => {
  it('leaves that where it is', () => {
    const world = worldOf(
      `{ n: 1, ${PAD} }`,
      's.a.one = { n: 1 }; o.one = s.a.one; o.two = {}; s.a.two = o.two; o.two.in = o.one',
    );
    saved(world, 'o.one.n = 5');
    expect(world.value.one.n).toBe(5);
    saved(world, 's.a.one.n = 6');
    world.reopen();
    expect(world.value).toMatchObject({ one: { n: 6 }, two: { in: { n: 6 } } });
    saved(world, 's.a.one.n = 7');
    expect(world.value.two.in.n).toBe(6);
  });
});

describe('a Map with properties of its own', () => {
  it('is refused, equal or not', () => {
    const world = worldOf(`{ list: [new Map([[1, 2]])], n: 1, ${PAD} }`);
    world.line(`{ const m = new Map([[1, 2]]); m.name = 1; s.a = { list: [m], n: 2, ${PAD} } }`);
    expect(world.save()).toBe(false);
  });
});

describe('what is refused', () => {
  it.each([
    ['a Map with a property of its own', 'const map = new Map(); map.name = 1; s.a.in.x = map', 'own properties'],
    ['a symbol as a key', 's.a.in.x = { [Symbol("x")]: 1 }', 'a symbol as key'],
    ['an instance of a class of arrays', 's.a.list.push(new (class List extends Array {})())', 'an instance of List'],
    ['a Date with more to it', 's.a.in.x = new (class When extends Date { late() {} })(1)', 'an instance of When'],
  ])('goes on being refused where a copy of it would not be: %s', (_name, line, message) => {
    for (const more of ['', PAD]) {
      const world = worldOf(`{ in: {}, list: [0], ${more} }`);
      world.line(line);
      for (let i = 0; i < 2; i += 1) {
        expect(world.save()).toBe(false);
        expect(() => msgpackCodec.encode(world.value, 'a')).toThrow(message);
      }
    }
  });
});

describe('an object with more keys than are kept as they are encoded', () => {
  it('is told by its portions all the same', () => {
    const world = worldOf(`{ by: Object.fromEntries(Array.from({ length: 5000 }, (_, i) => ['key ' + i, i])) }`);
    for (let from = 0; from < 5000; from += 50)
      saved(world, `for (let i = ${from}; i < ${from + 50}; i += 1) s.a.by['key ' + i] += 1`);
    expect(world.outcome).toMatchObject({ spliced: 100, whole: 1 });
    expect(world.value).toMatchObject({ by: { 'key 0': 1, 'key 4999': 5000 } });
  });
});
