import { describe, expect, it } from 'vitest';
import { partsBytes, partsOf, spanningOf, Token } from '../../ts/codec/spanning.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { apply, diff } from '../../ts/graph.ts';
import { applyShared } from '../../ts/graph/delta.ts';
import { EncodedSide } from '../../ts/graph/side.ts';
import { editOnce, graphOf } from '../codec/graphs.ts';
import { seeded } from '../portions/programs.ts';
import { mutated } from './mutated.ts';

/** More of them at length: HOLDFAST_MUTATIONS=100000 npx vitest run test/graph/shared-hostile.test.ts */
const MUTATIONS = Number(process.env['HOLDFAST_MUTATIONS'] ?? 6_000);
const LIMIT = 1_000_000;
const LONGEST_MS = 2_000;
const SHARED = 4;
const [EDIT, SET, INSERT, PLACE, OTHER] = [0, 1, 4, 6, 7];
const [COPY, MODES] = [4, 5];
const [NAMED, END] = [3, 0];
const step = (type: number, kept = 0): number => kept * 8 + type;
const code = (expected: 'ERR_CORRUPT' | 'ERR_LIMIT'): Error => expect.objectContaining({ code: expected }) as Error;
const encode = (value: unknown): Uint8Array => msgpackCodec.encode(value, 'v');
const reference = (id: number): Token => new Token(Uint8Array.of(0xd4, 0x72, id), id);
const at = <T>(list: readonly T[], place: number): T => list[place % list.length]!;

/** Edits under a header, with any seal: it is not asked. */
function crafted(steps: readonly number[], values: readonly unknown[] | Uint8Array = []): Uint8Array {
  const encoded = values instanceof Uint8Array ? values : values.length === 0 ? [] : partsBytes(values, new Map());
  const header = steps.length < 63 ? [1 | (steps.length << 2)] : [1 | (63 << 2), steps.length - 63];
  return Uint8Array.from([SHARED, ...header, ...steps, ...encoded, 0, 0]);
}

const forced = (base: unknown, delta: Uint8Array, limit = LIMIT): unknown =>
  applyShared(new EncodedSide(base instanceof Uint8Array ? base : encode(base), 'base'), delta, limit, false).value;

describe('a hostile delta of a graph', () => {
  const one = { n: 1 };
  const base = { a: one, b: [one], c: {} };

  it.each<[string, Uint8Array, 'ERR_CORRUPT' | 'ERR_LIMIT']>([
    ['refers to nothing', crafted([step(SET, 2)], [reference(7)]), 'ERR_CORRUPT'],
    ['takes away what is referred to', crafted([step(SET)], [1]), 'ERR_CORRUPT'],
    ['gives two objects one number', crafted([step(EDIT, 2), step(OTHER, NAMED), 1]), 'ERR_CORRUPT'],
    [
      'brings two objects of one number',
      crafted([step(SET), step(SET)], Uint8Array.of(0x92, 0xd4, 0x69, 3, 0x80, 0xd4, 0x69, 3, 0x80)),
      'ERR_CORRUPT',
    ],
    [
      'brings an object of a number that is there',
      crafted([step(SET, 2)], Uint8Array.of(0x91, 0xd4, 0x69, 0, 0x80)),
      'ERR_CORRUPT',
    ],
    ['numbers what is no container', crafted([step(SET, 2)], Uint8Array.of(0x91, 0xd4, 0x69, 5, 1)), 'ERR_CORRUPT'],
    [
      'has an instance in its own data',
      crafted([step(SET, 2)], Uint8Array.of(0x91, 0xd4, 0x69, 5, 0xd4, 0x63, 0, 0x92, 0xa1, 0x41, 0xd4, 0x72, 5)),
      'ERR_CORRUPT',
    ],
    ['numbers a sequence twice', crafted([step(OTHER, NAMED), 3, step(OTHER, NAMED), 4]), 'ERR_CORRUPT'],
    ['numbers a sequence behind its beginning', crafted([step(SET, 2), step(OTHER, NAMED), 4], [1]), 'ERR_CORRUPT'],
    ['copies what has a number', crafted([step(INSERT), step(PLACE), COPY + MODES], ['x', 1, 'y']), 'ERR_CORRUPT'],
    ['is of another kind behind its first byte', Uint8Array.of(SHARED, 2, 0, 0), 'ERR_CORRUPT'],
    ['goes on behind its end', crafted([step(OTHER, END), step(OTHER, END)]), 'ERR_CORRUPT'],
    ['is cut short', Uint8Array.of(SHARED, 1), 'ERR_CORRUPT'],
  ])('is refused that %s', (_name, delta, expected) => {
    expect(() => forced(base, delta)).toThrow(code(expected));
  });

  it('that numbers anything belongs to such deltas alone, and these to bytes that fit', () => {
    const plain = Uint8Array.of(...crafted([step(OTHER, NAMED), 3]).subarray(1));
    expect(() => apply({}, plain)).toThrow(/a sequence is numbered where it cannot be/);
    const tree = { a: { n: 1 }, b: [{ n: 1 }], c: {} };
    const delta = diff(tree, { ...tree, c: { d: 1 } });
    expect(() => apply(encode(base), delta, { bytes: true })).toThrow(code('ERR_CORRUPT'));
    expect(() => apply({ ...tree, c: 5 }, diff(base, { ...base, c: { d: one } }))).toThrow(code('ERR_CORRUPT'));
  });

  it('cannot nest what is shallow, nor grow it, beyond the limits', () => {
    const chain = Array.from({ length: 1_500 }, (_, n) => ({ n }) as Record<string, unknown>);
    const ids = chain.flatMap((_, n) =>
      n === 0 ? [] : [step(EDIT), step(OTHER, NAMED), ...number(n + 1), step(INSERT, 1), step(OTHER)],
    );
    const steps = [step(EDIT), step(INSERT, 1), step(OTHER), ...ids];
    const values = chain.flatMap((_, n) => ['next', n + 1 < chain.length ? wide(n + 1) : 0]);
    expect(() => forced(chain, long(steps, values))).toThrow(code('ERR_LIMIT'));
    const copies = Array.from({ length: 2_000 }, (_, n) => [step(PLACE, n === 0 ? 3 : 0), COPY]).flat();
    expect(() => forced([one, one, { t: 'x'.repeat(1_000) }], long(copies, []))).toThrow(code('ERR_LIMIT'));
  });

  it(
    `is refused, or makes a graph, of ${MUTATIONS} that were damaged, whatever their seal`,
    { timeout: 600_000 },
    () => {
      const random = seeded(5);
      const numbers = (): number => random(2 ** 31);
      const outcomes = { made: 0, refused: 0 };
      let from = new Uint8Array();
      let delta = new Uint8Array();
      for (let n = 0; n < MUTATIONS; n += 1) {
        if (n % 20 === 0) {
          const value = graphOf(n, 3 + (n % 30));
          from = new Uint8Array(encode(value));
          editOnce(value, random);
          editOnce(value, random);
          delta = new Uint8Array(diff(from, encode(value), { bytes: true }));
        }
        const bad = mutated(delta, Array.from({ length: 3 + random(6) }, numbers));
        if (bad.length < 3) continue;
        bad[0] = at([SHARED, SHARED, SHARED, bad[0]!], n);
        const start = performance.now();
        try {
          const bytes = encode(forced(from, bad));
          spanningOf(bytes);
          outcomes.made += 1;
        } catch (error) {
          if (!(error instanceof HoldfastError) || !['ERR_CORRUPT', 'ERR_LIMIT'].includes(error.code)) throw error;
          outcomes.refused += 1;
        }
        expect(performance.now() - start).toBeLessThan(LONGEST_MS);
      }
      expect(Object.keys(Object.prototype)).toEqual([]);
      expect(outcomes.refused).toBeGreaterThan(MUTATIONS / 10);
      expect(outcomes.made).toBeGreaterThan(MUTATIONS / 100);
    },
  );
});

/** As deltas write it. */
const number = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, value >> 7]);

const wide = (id: number): Token =>
  (
    partsOf(Uint8Array.of(0x91, ...(id < 256 ? [0xd4, 0x72, id] : [0xd5, 0x72, id >> 8, id & 255]))).tree as Token[]
  )[0]!;

/** As `crafted`, of many steps. */
function long(steps: readonly number[], values: readonly unknown[]): Uint8Array {
  return Uint8Array.from([
    SHARED,
    1 | (63 << 2),
    ...number(steps.length - 63),
    ...steps,
    ...(values.length === 0 ? [] : partsBytes(values, new Map())),
    0,
    0,
  ]);
}
