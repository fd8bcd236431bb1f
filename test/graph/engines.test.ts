import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { applyDelta, EncodedSide, liveSide, makeDelta } from '../../ts/graph/delta.ts';
import { loadBytesDiffer } from '../../ts/graph/native.ts';
import { anyValue } from '../codec/values.ts';
import { edit, edited } from './edited.ts';
import { seeded, value } from './random-values.ts';

const native = loadBytesDiffer();
const PAIRS = Number(process.env['HOLDFAST_PAIRS'] ?? 3_000);
const LIMIT = 16_000_000;
const encode = (value: unknown): Uint8Array => msgpackCodec.encode(value, 'value');

/** What JavaScript makes of the same: sides that were not given as bytes are compared as values. */
const inJs = {
  diff: (base: Uint8Array, target: Uint8Array): Uint8Array =>
    makeDelta(liveSide(msgpackCodec.decode(base), 'base'), liveSide(msgpackCodec.decode(target), 'target')),
  apply: (base: Uint8Array, delta: Uint8Array): Uint8Array =>
    applyDelta(liveSide(msgpackCodec.decode(base), 'base'), delta, LIMIT).bytes(),
};

const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');

/** Both engines make the same delta and the same target, or the native one leaves it; whether it did something. */
function agree(base: Uint8Array, target: Uint8Array): boolean {
  const delta = inJs.diff(base, target);
  const found = native!.diff(base, target);
  if (found !== undefined) expect(hex(found)).toBe(hex(delta));
  const made = native!.apply(base, delta, LIMIT);
  if (made !== undefined) expect(hex(made)).toBe(hex(target));
  return found !== undefined && made !== undefined;
}

describe.skipIf(native === undefined)('the native graph differ', () => {
  it('is the one that works on bytes', () => {
    expect(makeDelta(new EncodedSide(encode(1)), new EncodedSide(encode(1)))).toEqual(Buffer.from([0]));
    void HoldfastError;
  });

  it('says the same as the other of states and what becomes of them', () => {
    let count = 0;
    for (let seed = 1; seed <= PAIRS; seed += 1) {
      const random = seeded(seed);
      const base = value(random);
      let target = edit(base, random, () => value(random));
      for (let more = random(3); more > 0; more -= 1) target = edit(target, random, () => value(random));
      try {
        count += agree(encode(base), encode(target)) ? 1 : 0;
      } catch (cause) {
        throw new Error(`seed ${seed}`, { cause });
      }
    }
    console.log('native', count);
  });

  it('says the same as the other of edited values', () => {
    let count = 0;
    fc.assert(
      fc.property(edited, ([base, target]) => {
        count += agree(encode(base), encode(target)) ? 1 : 0;
      }),
      { numRuns: 2_000 },
    );
    console.log('native', count);
  });

  it('says the same as the other of any two values', () => {
    let count = 0;
    fc.assert(
      fc.property(anyValue, anyValue, (base, target) => {
        count += agree(encode(base), encode(target)) ? 1 : 0;
      }),
      { numRuns: 500 },
    );
    console.log('native', count);
  });
});
