import { describe, expect, it } from 'vitest';
import { World } from './programs.ts';

/** Each line ends with a save, the last one with the use. */
function worldOf(first: string, ...lines: string[]): World {
  const world = new World(first);
  for (const line of lines.slice(0, -1)) {
    world.line(line);
    if (!world.save()) throw new Error(`refused: ${line}`);
  }
  world.line(lines.at(-1)!);
  world.reopen();
  return world;
}

const PAD = `pad: ${JSON.stringify('pad '.repeat(150))}`;

describe('a value that is assigned whole', () => {
  it.each([
    ['a part beside what takes its place', '{ p: { n: 2 }, q: s.a.p }', { p: { n: 2 }, q: { n: 1 } }],
    ['the whole one before', '{ p: 2, before: s.a }', { p: 2, before: { p: { n: 1 } } }],
    ['a part where its holder was', '{ p: s.a.p, q: { p: { n: 3 } } }', { p: { n: 1 }, q: { p: { n: 3 } } }],
  ])('may hold %s', (_name, assigned, { p, ...others }) => {
    const { value } = worldOf(`{ p: { n: 1 }, ${PAD} }`, `s.a = ${assigned}`);
    expect(value).toMatchObject({ p, ...others });
  });

  it('may hold an element of a list beside others in its place', () => {
    const first = `{ list: [{ n: 1 }, { n: 2 }], map: new Map([['m', { n: 3 }]]), ${PAD} }`;
    const { value } = worldOf(
      first,
      's.a = { list: [{ n: 1 }, { n: 5 }], map: new Map([["m", { n: 4 }]]), one: s.a.list[0], two: s.a.list[1], m: s.a.map.get("m") }',
    );
    expect([value.list, value.one, value.two]).toEqual([[{ n: 1 }, { n: 5 }], { n: 1 }, { n: 2 }]);
    expect([value.map.get('m'), value.m]).toEqual([{ n: 4 }, { n: 3 }]);
  });

  it('leaves what was handed out of the one before as it was, over saves', () => {
    const world = worldOf(`{ n: 1, p: { n: 1 }, ${PAD} }`, 'o.old = s.a; o.p = s.a.p');
    world.line('o.old = s.a; o.p = s.a.p; s.a = { n: 2, p: { n: 2 }, pad: s.a.pad }');
    expect(world.save()).toBe(true);
    expect([world.held.old.n, world.held.p.n]).toEqual([1, 1]);
    world.line('o.old.n = 3; o.p.n = 3');
    expect(world.value).toMatchObject({ n: 2, p: { n: 2 } });
    expect(world.save()).toBe(true);
  });
});
