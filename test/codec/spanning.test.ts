import { describe, expect, it } from 'vitest';
import { codecOf, msgpackCodec } from '../../ts/codec/msgpack.ts';
import { partsBytes, partsOf, spanningOf, Token, wholeBytes } from '../../ts/codec/spanning.ts';
import { valueType } from '../../ts/codec/value-types.ts';
import { graphOf } from './graphs.ts';

const corrupt = expect.objectContaining({ code: 'ERR_CORRUPT' }) as Error;
const encode = (value: unknown): Uint8Array => msgpackCodec.encode(value, 'v');

class Box {
  readonly #content: unknown;
  constructor(content: unknown) {
    this.#content = content;
  }
  get content(): unknown {
    return this.#content;
  }
}
const box = valueType('Box', Box, { toData: ({ content }) => content, fromData: (content) => new Box(content) });

describe('a spanning tree', () => {
  it('is that of any graph: its bytes are those of the value', () => {
    let tokens = 0;
    for (let seed = 1; seed <= 300; seed += 1) {
      const bytes = encode(graphOf(seed, 2 + (seed % 30)));
      const spanning = spanningOf(bytes);
      expect(Buffer.from(wholeBytes(spanning)).equals(bytes), `seed ${seed}`).toBe(true);
      tokens += spanning.marks.size;
      const parts = partsOf(partsBytes([spanning.tree, 1], spanning.marks));
      const [tree] = parts.tree as [unknown];
      expect(Buffer.from(wholeBytes({ tree, marks: parts.marks })).equals(bytes), `seed ${seed}`).toBe(true);
    }
    expect(tokens).toBeGreaterThan(600);
  });

  it('has instances as they are written, whoever knows their class, and what is shared across them', () => {
    const one = { n: 1 };
    const held = new Box([one, { deep: one }]);
    const value = { a: held, b: held, c: one };
    const bytes = codecOf([box]).encode(value, 'v');
    const { tree, marks } = spanningOf(bytes);
    const { a, b, c } = tree as { a: Token; b: Token; c: Token };
    expect([a.id, a.ids, b.id, c.id, marks.get(a)]).toEqual([-1, [1, 1], 0, 1, 0]);
    expect(wholeBytes({ tree, marks })).toEqual(bytes);
    const again = codecOf([box]).decode(bytes) as { a: Box; b: Box; c: object };
    expect([again.a === again.b, (again.a.content as unknown[])[0] === again.c]).toEqual([true, true]);
  });

  it('may have its homes anywhere: each object is defined where it is met first', () => {
    const one: Record<string, unknown> = { n: 1 };
    one['self'] = one;
    const bytes = encode({ a: one, b: [one] });
    const { tree, marks } = spanningOf(bytes);
    const { a, b } = tree as { a: object; b: object[] };
    const moved = { a: b[0], b: [a] };
    expect(wholeBytes({ tree: moved, marks })).toEqual(bytes);
    const other = { n: 2 };
    marks.set(other, 0);
    expect(() => wholeBytes({ tree: [a, other], marks })).toThrow(corrupt);
  });

  it('is refused of bytes that no codec writes', () => {
    const bad = [
      [0xd4, 0x72, 0],
      [0x92, 0xd4, 0x69, 0, 0x80, 0xd4, 0x69, 0, 0x80],
      [0x91, 0xd4, 0x69, 0, 0x80],
      [0x92, 0xd4, 0x69, 0, 0xd4, 0x69, 1, 0x80, 0xd4, 0x72, 0],
      [0x92, 0xd4, 0x69, 0, 1, 0xd4, 0x72, 0],
      [0x92, 0xd4, 0x69, 0, 0xd4, 0x63, 0, 0x92, 0xa1, 0x41, 0xd4, 0x72, 0, 0xd4, 0x72, 0],
      [0xd4, 0x63, 0, 0x91, 0xa1],
      [0xd4, 0x63, 0, 0x92, 0xc0, 0xc0],
    ];
    for (const bytes of bad) expect(() => spanningOf(Uint8Array.from(bytes)), bytes.join()).toThrow(corrupt);
    expect(() => partsOf(Uint8Array.from([0xd4, 0x69, 0, 0xd4, 0x72, 0]))).toThrow(corrupt);
    expect(partsOf(Uint8Array.from([0x91, 0xd4, 0x72, 9]))).toMatchObject({ tree: [{ id: 9 }] });
  });
});
