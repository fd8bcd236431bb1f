import { describe, expect, it } from 'vitest';
import { World } from './programs.ts';

/** Runs a program whose lines each end with a save, or not: `…`. */
function worldOf(first: string, ...lines: string[]): World {
  const world = new World(first);
  for (const line of lines) {
    world.line(line.replace(/…$/, ''));
    if (!line.endsWith('…') && !world.save()) throw new Error(`refused: ${line}`);
  }
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
});
