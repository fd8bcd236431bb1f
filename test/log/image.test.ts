import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { Image, decodeDirectory, encodeDirectory } from '../../ts/log/image.ts';
import type { Digest } from '../../ts/log/record.ts';
import { names, versionsOf } from './records.ts';

class Refused extends Error {}
const refuse = (what: string): never => {
  throw new Refused(what);
};
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const decode = (text: string): ReturnType<typeof decodeDirectory> => decodeDirectory(Buffer.from(text, 'hex'), refuse);
const wellFormed = names.map((all) => [...new Set(all.map((name) => name.toWellFormed()))]);

describe('a directory', () => {
  it('reads as it was written', () => {
    fc.assert(
      fc.property(
        wellFormed.chain((all) => fc.tuple(fc.constant(all), versionsOf(all))),
        ([all, versions]) => {
          const directory = encodeDirectory(all, versions);
          expect(decodeDirectory(directory.bytes, refuse)).toEqual({ names: all, versions, bytes: directory.bytes });
          expect(directory.versions).toEqual(versions);
        },
      ),
    );
  });

  it('has the bytes that are drawn', () => {
    expect(hex(encodeDirectory(['a', 'bc', '']).bytes)).toBe('0161' + '026263' + '0000');
    expect(
      hex(
        encodeDirectory(
          ['a', 'bc', ''],
          new Map([
            ['a', 1],
            ['', 300],
            ['gone', 4],
          ]),
        ).bytes,
      ),
    ).toBe('00010161' + '026263' + '00ac0200');
    expect(encodeDirectory(['a'], new Map([['gone', 4]])).versions).toEqual(new Map());
  });

  it('pays nothing for a version that is not there', () => {
    expect(encodeDirectory(['name', 'other'], new Map([['other', 1]])).bytes.length).toBe(
      encodeDirectory(['name', 'other']).bytes.length + 2,
    );
  });

  it('has one encoding only: what is taken is what would be written', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8, max: 5 }), (bytes) => {
        let directory;
        try {
          directory = decodeDirectory(bytes, refuse);
        } catch (error) {
          expect(error).toBeInstanceOf(Refused);
          return;
        }
        expect(hex(encodeDirectory(directory.names, directory.versions).bytes)).toBe(hex(bytes));
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['a name twice', '01610161'],
    ['an empty name twice', '00000000'],
    ['cut short', '0261'],
    ['a version alone', '0001'],
    ['nothing after the escape', '00'],
    ['a length in too many bytes', '810061'],
    ['a version in too many bytes', '0081000161'],
    ['a lone surrogate', '03eda080'],
    ['half a character', '01c3'],
  ])('refuses %s', (_what, text) => {
    expect(() => decode(text)).toThrow(Refused);
  });

  it.each([0, -1, 1.5, NaN, 2 ** 53])('refuses to write version %d', (version) => {
    expect(() => encodeDirectory(['a'], new Map([['a', version]]))).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID', paths: [['a']] }) as HoldfastError,
    );
  });
});

describe('the digest', () => {
  const value = (low: number) => ({ bytes: Uint8Array.of(low), low, high: low + 1 });
  const digestOf = (all: Record<string, number>, versions?: Map<string, number>): Digest => {
    const image = new Image();
    return image.stage(
      encodeDirectory(Object.keys(all), versions),
      new Map(Object.entries(all).map(([name, low]) => [name, value(low)])),
    ).digest;
  };

  it('tells values, names, their order and their versions apart, in both lanes', () => {
    const states = [
      digestOf({}),
      digestOf({ a: 1 }),
      digestOf({ a: 2 }),
      digestOf({ b: 1 }),
      digestOf({ a: 1, b: 2 }),
      digestOf({ b: 2, a: 1 }),
      digestOf({ a: 2, b: 1 }),
      digestOf({ a: 1 }, new Map([['a', 1]])),
      digestOf({ a: 1 }, new Map([['a', 2]])),
    ];
    for (const lane of ['low', 'high'] as const)
      expect(new Set(states.map((digest) => digest[lane])).size).toBe(states.length);
  });

  it('is the same whether a state came in steps or at once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(0xffffffff)), { maxLength: 20 }),
        (steps) => {
          const image = new Image();
          const state: Record<string, number> = {};
          steps.forEach(([name, low], index) => {
            const isNew = !Object.hasOwn(state, name);
            state[name] = low;
            image.accept(
              image.stage(isNew ? encodeDirectory(Object.keys(state)) : undefined, new Map([[name, value(low)]])),
              { revision: index + 1, nonce: 0 },
            );
          });
          expect(image.digest).toEqual(digestOf(state));
        },
      ),
    );
  });

  it('is the same where names went and came back, or stand in another order', () => {
    const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'));
    fc.assert(
      fc.property(fc.array(fc.tuple(names, fc.nat(0xffffffff)), { maxLength: 12 }), (steps) => {
        const image = new Image();
        let state: Record<string, number> = {};
        for (const [index, [all, low]] of steps.entries()) {
          // Those at even places are written, as are those that are new.
          const written = all.filter((name, at) => at % 2 === 0 || !Object.hasOwn(state, name));
          state = Object.fromEntries(all.map((name) => [name, written.includes(name) ? low : state[name]!]));
          const values = new Map(written.map((name) => [name, value(low)]));
          image.accept(image.stage(encodeDirectory(all), values), { revision: index + 1, nonce: 0 });
        }
        const names = Object.keys(state);
        expect(image.digest).toEqual(digestOf(state));
        expect(image.byteLength).toBe(image.directory.bytes.length + names.length);
        for (const name of ['a', 'b', 'c', 'd']) expect(image.value(name)?.low).toBe(state[name]);
      }),
    );
  });
});
