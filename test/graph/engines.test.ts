import { deepStrictEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { EditReader } from '../../ts/graph/apply.ts';
import { applyDelta, makeDelta } from '../../ts/graph/delta.ts';
import { GRAPH_EDITS, GRAPH_LONG, GRAPH_WHOLE } from '../../ts/graph/format.ts';
import { loadBytesDiffer, type BytesDiffer } from '../../ts/graph/native.ts';
import { unpack } from '../../ts/graph/packed.ts';
import { Reader } from '../../ts/graph/reader.ts';
import { SEAL_BYTES, Seen } from '../../ts/graph/seal.ts';
import { LiveSide, type Side } from '../../ts/graph/side.ts';
import { anyValue } from '../codec/values.ts';
import { edit, edited } from './edited.ts';
import { mutated } from './mutated.ts';
import { seeded, value, type Random } from './random-values.ts';

/** More of them at length: HOLDFAST_PAIRS=20000 HOLDFAST_MUTATIONS=100000 npx vitest run test/graph/engines.test.ts */
const PAIRS = Number(process.env['HOLDFAST_PAIRS'] ?? 2_000);
const MUTATIONS = Number(process.env['HOLDFAST_MUTATIONS'] ?? 6_000);
const LIMIT = 16_000_000;
const LONG_MS = 1_200_000;

const found = loadBytesDiffer();
const native = found as BytesDiffer;
const encode = (one: unknown): Uint8Array => msgpackCodec.encode(one, 'value');
const decode = (bytes: Uint8Array): Side => new LiveSide(msgpackCodec.decode(bytes), 'value');
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** What JavaScript makes of the same: values that were not given as bytes are its own. */
const javascript = {
  diff: (base: Uint8Array, target: Uint8Array): Uint8Array => makeDelta(decode(base), decode(target)),
  apply: (base: Uint8Array, delta: Uint8Array): Uint8Array => applyDelta(decode(base), delta, LIMIT).bytes(),
};

/** Both make the same delta, and the target of it, or the native one leaves it to the other; whether it did something. */
function agree(base: Uint8Array, target: Uint8Array): boolean {
  const delta = javascript.diff(base, target);
  const same = native.diff(base, target);
  if (same !== undefined) expect(hex(same)).toBe(hex(delta));
  const made = native.apply(base, delta, LIMIT);
  if (made !== undefined) expect(hex(made)).toBe(hex(target));
  return same !== undefined && made !== undefined;
}

function pairOf(random: Random): [base: unknown, target: unknown] {
  const base = value(random);
  let target = base;
  for (let edits = 1 + random(3); edits > 0; edits -= 1) target = edit(target, random, () => value(random));
  return [base, target];
}

/** As `edits` would be sealed that had seen what these see; undefined where they are wrong before that. */
function resealed(base: unknown, delta: Uint8Array): Uint8Array | undefined {
  const end = delta.length - SEAL_BYTES;
  const kind = delta[0]! & 3;
  if (end < 1 || (kind !== GRAPH_EDITS && kind !== GRAPH_WHOLE)) return undefined;
  let seen = new Seen();
  if (kind === GRAPH_EDITS) {
    try {
      const header = new Reader(delta, 1, end);
      const length = delta[0]! >> 2 < GRAPH_LONG ? delta[0]! >> 2 : GRAPH_LONG + header.number();
      const start = header.at;
      const values =
        end > start + length ? msgpackCodec.decode(unpack(header, delta.subarray(start + length, end))) : [];
      const edits = new EditReader(new Reader(delta, start, start + length), values as unknown[], LIMIT);
      edits.whole(base);
      seen = edits.seen;
    } catch {
      return undefined;
    }
  }
  const seal = seen.seal(delta, end);
  return Uint8Array.from([...delta.subarray(0, end), seal & 0xff, seal >>> 8]);
}

/** A target's bytes, or the code of the error. */
function outcome(run: () => Uint8Array | undefined): string | undefined {
  try {
    const bytes = run();
    return bytes === undefined ? undefined : hex(bytes);
  } catch (error) {
    if (error instanceof HoldfastError && (error.code === 'ERR_CORRUPT' || error.code === 'ERR_LIMIT'))
      return 'refused';
    throw error;
  }
}

describe.skipIf(found === undefined)('the native graph differ', () => {
  it(
    `says the same as the other of ${PAIRS} states and what became of them`,
    () => {
      let count = 0;
      for (let seed = 1; seed <= PAIRS; seed += 1) {
        const [base, target] = pairOf(seeded(seed));
        try {
          if (agree(encode(base), encode(target))) count += 1;
        } catch (cause) {
          throw new Error(`of the pair that seed ${seed} makes, they do not`, { cause });
        }
      }
      expect(count, 'that it does not leave to the other').toBeGreaterThan(0.9 * PAIRS);
    },
    LONG_MS,
  );

  it('says the same as the other of whatever can be kept, or leaves it', () => {
    fc.assert(
      fc.property(edited, anyValue, ([base, target], other) => {
        agree(encode(base), encode(target));
        agree(encode(target), encode(other));
      }),
      { numRuns: 100 },
    );
  });

  it(
    `makes of ${MUTATIONS} damaged deltas what the other makes, or refuses them as that does`,
    () => {
      const random = seeded(7);
      const sealed = { refused: 0, taken: 0 };
      let pair: [unknown, unknown] = [1, 2];
      for (let n = 0; n < MUTATIONS; n += 1) {
        if (n % 20 === 0) pair = pairOf(random);
        const base = encode(pair[0]);
        const delta = mutated(
          javascript.diff(base, encode(pair[1])),
          Array.from({ length: 3 + random(6) }, () => random(2 ** 31)),
        );
        for (const one of [delta, resealed(pair[0], delta)]) {
          if (one === undefined) continue;
          const made = outcome(() => native.apply(base, one, LIMIT));
          if (made === undefined) continue;
          expect(made, `mutation ${n}: ${hex(one)} of ${hex(base)}`).toBe(outcome(() => javascript.apply(base, one)));
          sealed[made === 'refused' ? 'refused' : 'taken'] += 1;
        }
      }
      expect(sealed.taken).toBeGreaterThan(MUTATIONS / 100);
      expect(sealed.refused).toBeGreaterThan(MUTATIONS / 4);
    },
    LONG_MS,
  );

  it(
    `makes of ${MUTATIONS} damaged values nothing that the other would not, or leaves them`,
    () => {
      const random = seeded(8);
      let pair: [unknown, unknown] = [1, 2];
      for (let n = 0; n < MUTATIONS; n += 1) {
        if (n % 20 === 0) pair = pairOf(random);
        const target = encode(pair[1]);
        const base = mutated(
          encode(pair[0]),
          Array.from({ length: 3 }, () => random(2 ** 31)),
        );
        const delta = native.diff(base, target);
        if (delta === undefined) continue;
        const made = native.apply(base, delta, LIMIT);
        if (made !== undefined) expect(hex(made)).toBe(hex(target));
        // What the codec did not write, as a key that comes twice, may be told in other words.
        const isOurs = hex(base) === outcome(() => encode(msgpackCodec.decode(base)));
        if (isOurs) expect(hex(delta), `mutation ${n}`).toBe(hex(javascript.diff(base, target)));
      }
    },
    LONG_MS,
  );

  it('gives a value of its own, and leaves its inputs as they are', () => {
    const base = encode({ list: [1, 2, 3], text: 'a text' });
    const target = encode({ list: [1, 3], text: 'a longer text' });
    const before = [hex(base), hex(target)];
    const delta = native.diff(base, target)!;
    const made = native.apply(base, delta, LIMIT)!;
    expect(made.buffer).not.toBe(base.buffer);
    const same = native.apply(base, native.diff(base, base)!, LIMIT)!;
    same.fill(0);
    expect([hex(base), hex(target)]).toEqual(before);
    deepStrictEqual(Buffer.from(made), Buffer.from(target));
  });

  it('leaves what it does not know: large integers, lone surrogates, `__proto__`, depth, other extensions', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 200; level += 1) deep = [deep];
    const unknown = [2n ** 70n, '\ud800', JSON.parse('{ "__proto__": 1 }'), deep].map(encode);
    const later = [
      [0xd4, 0x69, 1, 0x80],
      [0xd4, 0x72, 1],
      [0xd4, 0x63, 0, 0x92, 0xa1, 0x41, 0xc0],
    ].map((bytes) => Uint8Array.from([0x91, ...bytes]));
    for (const one of [...unknown, ...later]) {
      expect(native.diff(one, encode(1))).toBeUndefined();
      expect(native.diff(encode(1), one)).toBeUndefined();
    }
    for (const one of later) expect(native.apply(one, Uint8Array.of(0), LIMIT)).toBeUndefined();
    const shared = makeDelta(new LiveSide({ a: {} }, 'base'), new LiveSide(sharedTwice(), 'target'));
    expect(native.apply(encode({ a: {} }), shared, LIMIT)).toBeUndefined();
  });
});

function sharedTwice(): unknown {
  const one = { n: 1 };
  return { a: one, b: one };
}

/** `crates/graph/tests/vectors.rs` reads the same. */
const vectors = readFileSync(new URL('../vectors/graph.tsv', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split('\t') as [name: string, base: string, target: string, delta: string]);

describe('a golden delta', () => {
  it.each(vectors)('is made and applied by both engines: %s', (_name, base, target, delta) => {
    const [from, to] = [base, target].map((bytes) => Uint8Array.from(Buffer.from(bytes, 'hex'))) as [
      Uint8Array,
      Uint8Array,
    ];
    for (const engine of found === undefined ? [javascript] : [javascript, native]) {
      expect(hex(engine.diff(from, to)!)).toBe(delta);
      expect(hex(engine.apply(from, Uint8Array.from(Buffer.from(delta, 'hex')), LIMIT)!)).toBe(target);
    }
  });
});
