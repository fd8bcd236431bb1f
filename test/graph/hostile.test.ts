import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { jsDiffer } from '../../ts/diff/js.ts';
import { apply, diff } from '../../ts/graph.ts';
import { compare } from '../../ts/graph/compare.ts';
import { applyEdits } from '../../ts/graph/delta.ts';
import { EditWriter } from '../../ts/graph/write.ts';
import { edited } from './edited.ts';
import { mutated } from './mutated.ts';

/** More of them at length: HOLDFAST_MUTATIONS=100000 npx vitest run test/graph/hostile.test.ts */
const MUTATIONS = Number(process.env['HOLDFAST_MUTATIONS'] ?? 6_000);
const LIMIT = 1_000_000;
/** Takes each of them; far above what any should. */
const LONGEST_MS = 2_000;

const [EDIT, SET, DELETE, DELETE_RUN, INSERT, PLACE, OTHER] = [0, 1, 2, 3, 4, 6, 7];
const [LIKE, COPY, MODES] = [3, 4, 5];
const [END, TAKEN, ORDER] = [0, 1, 2];
const step = (type: number, kept = 0): number => kept * 8 + type;

/** Edits under a header, with any seal: it is not asked. */
function crafted(steps: readonly number[], values: readonly unknown[] = []): Uint8Array {
  const encoded = values.length === 0 ? [] : msgpackCodec.encode(values, 'values');
  const header = steps.length < 63 ? [1 | (steps.length << 2)] : [1 | (63 << 2), steps.length - 63];
  return Uint8Array.from([...header, ...steps, ...encoded, 0, 0]);
}

const code = (expected: 'ERR_CORRUPT' | 'ERR_LIMIT'): Error => expect.objectContaining({ code: expected }) as Error;
const forced = (base: unknown, delta: Uint8Array, limit = LIMIT): unknown => applyEdits(base, delta, limit, false);

/** Either a value that can be kept, or one of the two errors; and the world is as it was. */
function survives(base: unknown, run: () => unknown): void {
  const before = Buffer.from(msgpackCodec.encode(base, 'base'));
  const start = performance.now();
  try {
    run();
  } catch (error) {
    if (!(error instanceof HoldfastError) || !['ERR_CORRUPT', 'ERR_LIMIT'].includes(error.code)) throw error;
  }
  expect(performance.now() - start).toBeLessThan(LONGEST_MS);
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(before.equals(msgpackCodec.encode(base, 'base')), 'the base is as it was').toBe(true);
}

describe('a hostile delta', () => {
  const samples: readonly (readonly [unknown, unknown])[] = [
    [
      { a: [1, 2, 3], b: 'text' },
      { a: [3, 1, { x: 1.5 }], b: 'text', c: null },
    ],
    [
      new Map<unknown, unknown>([
        [{ k: 1 }, 'v'],
        ['k', [1]],
      ]),
      new Map<unknown, unknown>([
        ['k', [2]],
        [{ k: 1 }, 'w'],
      ]),
    ],
    ['a text that is rather long, to be spliced', 'a text that is rather short, to be spliced'],
    [{ bytes: new Uint8Array(100) }, { bytes: new Uint8Array(100).fill(7, 50) }],
    [Array.from({ length: 60 }, (_, n) => `e${n}`), Array.from({ length: 60 }, (_, n) => `e${59 - n}`)],
    [Array.from({ length: 60 }, (_, n) => `e${n}`), Array.from({ length: 60 }, (_, n) => `e${(n * 23) % 60}`)],
    [
      { rows: [{ id: 1, n: 1 }] },
      {
        rows: [
          { id: 1, n: 1 },
          { id: 2, n: 1 },
          { id: 2, n: 2.25 },
        ],
      },
    ],
  ];

  it('that is cut anywhere is refused', () => {
    for (const [base, target] of samples) {
      const delta = diff(base, target);
      for (let length = 0; length < delta.length; length += 1)
        expect(() => apply(base, delta.subarray(0, length)), `${length} of ${delta.length}`).toThrow(
          code('ERR_CORRUPT'),
        );
      expect(() => apply(base, Uint8Array.from([...delta, 0]))).toThrow(code('ERR_CORRUPT'));
    }
  });

  it('with one flipped bit is refused, but for the 16 bits of luck that there are', () => {
    let taken = 0;
    let flips = 0;
    for (const [base, target] of samples) {
      const delta = diff(base, target);
      for (let bit = 0; bit < 8 * delta.length; bit += 1) {
        const flipped = delta.slice();
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        flips += 1;
        try {
          apply(base, flipped);
          taken += 1;
        } catch (error) {
          expect(['ERR_CORRUPT', 'ERR_LIMIT']).toContain((error as HoldfastError).code);
        }
      }
    }
    expect(flips).toBeGreaterThan(1_000);
    expect(taken).toBeLessThanOrEqual(2);
  });

  it(`changes nothing and ends soon, in ${MUTATIONS} random ways, sealed or not`, () => {
    const numbers = fc.array(fc.nat(), { minLength: 3, maxLength: 12 });
    const mutations = fc.array(numbers, { minLength: 40, maxLength: 40 });
    fc.assert(
      fc.property(fc.oneof(edited, fc.constantFrom(...samples)), mutations, ([base, target], all) => {
        const delta = diff(base, target);
        for (const one of all) {
          const bytes = mutated(delta, one);
          survives(base, () => apply(base, bytes, { limitBytes: LIMIT }));
          if ((bytes[0]! & 3) === 1) survives(base, () => forced(base, bytes));
        }
      }),
      { numRuns: Math.ceil(MUTATIONS / 40) },
    );
  }, 1_200_000);

  it('reaches no prototype', () => {
    const target = forced({ a: 1 }, crafted([step(INSERT)], ['__proto__', { polluted: true }])) as object;
    expect(Object.getPrototypeOf(target)).toBe(Object.prototype);
    expect(Object.keys(target)).toEqual(['__proto__', 'a']);
    expect((target as { polluted?: boolean }).polluted).toBeUndefined();
    const made = forced({ a: 1 }, crafted([step(INSERT)], ['constructor', { prototype: { polluted: true } }]));
    expect(Object.keys(made as object)).toEqual(['constructor', 'a']);
    // There is no place for what an object only inherits.
    expect(() => forced({}, crafted([step(EDIT), step(SET)], [1]))).toThrow(code('ERR_CORRUPT'));
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it.each<[what: string, base: unknown, delta: Uint8Array]>([
    ['a key that is there already', { a: 1 }, crafted([step(INSERT)], ['a', 2])],
    ['a key that is no text', { a: 1 }, crafted([step(INSERT)], [1, 2])],
    ['an element that a Set has', new Set([1]), crafted([step(INSERT)], [1])],
    ['a key that a Map has', new Map([['a', 1]]), crafted([step(INSERT)], ['a', 2])],
    ['a change of what a Set has', new Set([[1]]), crafted([step(EDIT), step(SET)], [1])],
    ['a part of a number', { a: 1 }, crafted([step(EDIT), step(SET)], [1])],
    ['a place behind the end', [1, 2], crafted([step(SET, 2)], [1])],
    ['deleting behind the end', [1, 2], crafted([step(DELETE_RUN), 1])],
    ['deleting at the end', [1, 2], crafted([step(DELETE, 2)])],
    ['a value that is missing', [1, 2], crafted([step(SET), step(SET)], [1])],
    ['a value too many', [1, 2], crafted([step(SET)], [1, 2])],
    ['steps behind the end', [1, 2], crafted([step(OTHER, END), step(SET)], [1])],
    ['an unknown step', [1, 2], crafted([step(OTHER, 9)])],
    ['what is taken out and not placed', [1, 2], crafted([step(OTHER, TAKEN), 1, 0])],
    ['what is placed twice', [1, 2], crafted([step(OTHER, TAKEN), 1, 0, step(PLACE), 0, step(PLACE), 0])],
    ['what was not taken out', [1, 2], crafted([step(PLACE), 0])],
    ['more taken out than there is', [1, 2], crafted([step(OTHER, TAKEN), 3, 0, 0, 0])],
    ['taken out too late', [1, 2], crafted([step(DELETE), step(OTHER, TAKEN), 1, 0])],
    ['an order with a place twice', [1, 2], crafted([step(OTHER, ORDER), 0, 0, 0, 1, 0])],
    ['an order out of its places', [1, 2], crafted([step(OTHER, ORDER), 0, 2, 1])],
    ['an unknown order', [1, 2], crafted([step(OTHER, ORDER), 7])],
    ['a copy of nothing', [], crafted([step(PLACE), COPY])],
    ['a copy from behind the end', [1], crafted([step(PLACE, 1), MODES + COPY])],
    ['characters behind the end of a text', ['abc'], crafted([step(EDIT), 0, 4], ['x'])],
    ['a number in a text', ['abc'], crafted([step(EDIT), 0, 1], [5])],
    [
      'an index that an array with holes does not have',
      Object.assign([], { length: 3 }),
      crafted([step(INSERT)], [99, 1]),
    ],
    ['a number longer than it need be', [1, 2], crafted([0x81, 0x80, 0x00], [1])],
    ['a binary part for other bytes', [new Uint8Array(40)], crafted([step(EDIT), 3, 0x40, 1, 2])],
  ])('is refused: %s', (_what, base, delta) => {
    expect(() => forced(base, delta)).toThrow(code('ERR_CORRUPT'));
  });

  it('leads no deeper than the codec', () => {
    let base: unknown = 'end';
    for (let level = 0; level < 2_000; level += 1) base = [base];
    const long = Uint8Array.from([1 | (63 << 2), 0xad, 0x0e, ...Array.from({ length: 1_900 }, () => step(EDIT)), 0, 0]);
    expect(() => forced(base, long)).toThrow('it leads deeper than 1000');
  });

  it('of many new values beside a large one like them costs no more than so much work', () => {
    const large = { a: Array.from({ length: 50_000 }, (_, n) => n) };
    const target = [large, ...Array.from({ length: 100 }, (_, n) => ({ a: [-1 - n] }))];
    const written = new EditWriter();
    written.edit(compare([large], target, 0)!, [large]);
    const whole = written.values.filter((value) => typeof value === 'object').length;
    expect(whole, 'of 100 that are not told by the large one').toBe(95);
    const delta = diff([large], target);
    expect(apply([large], delta)).toEqual(target);
    const bytes = [[large], target].map((value) => msgpackCodec.encode(structuredClone(value), 'value'));
    expect(Buffer.from(diff(bytes[0], bytes[1], { bytes: true })).equals(delta)).toBe(true);
  });

  it('that makes much of little is stopped by the limit', () => {
    const model = { rows: Array.from({ length: 100 }, (_, n) => ({ n })) };
    const copies = Array.from({ length: 24 }, () => [step(PLACE), COPY]).flat();
    expect(forced([model], crafted(copies.with(0, step(PLACE, 1))))).toHaveLength(25);
    expect(() => forced([model], crafted(copies.with(0, step(PLACE, 1))), 20_000)).toThrow(code('ERR_LIMIT'));
    const edits = Array.from({ length: 20 }, () => [
      step(PLACE),
      LIKE,
      step(EDIT),
      step(DELETE),
      step(OTHER),
      step(OTHER),
    ]);
    expect(() => forced([model], crafted(edits.flat().with(0, step(PLACE, 1))), 20_000)).toThrow(code('ERR_LIMIT'));
    const run = jsDiffer.diff(new Uint8Array(0), new Uint8Array(100_000));
    const patched = crafted([step(EDIT), run.length, ...run]);
    expect((forced([new Uint8Array(0)], patched) as Uint8Array[])[0]).toHaveLength(100_000);
    expect(() => forced([new Uint8Array(0)], patched, 50_000)).toThrow(code('ERR_LIMIT'));
    const whole = diff('', 'x'.repeat(100_000));
    expect(whole.length).toBeLessThan(40);
    expect(() => apply('', whole, { limitBytes: 50_000 })).toThrow(code('ERR_LIMIT'));
  });
});
