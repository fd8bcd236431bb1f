import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { decodeDeltaBody, encodeDeltaBody } from '../../ts/log/body.ts';
import { ByteWriter } from '../../ts/log/bytes.ts';
import { CODEC_DEFLATE, DEFLATED_BODY_MIN, DEFLATED_VALUE_MIN } from '../../ts/log/compression.ts';
import { encodeDirectory } from '../../ts/log/image.ts';
import { FLAG_DIRECTORY, FLAG_PACKED, NO_PARENT, decodeRecord, encodeRecord } from '../../ts/log/record.ts';
import type { LogRecord } from '../../ts/log/record.ts';
import { randomBytes, seeded } from '../diff/pairs.ts';
import { ID, LIMIT, seal } from './records.ts';

const HEAD = { revision: 1, nonce: 9, parentNonce: 0, time: 0, token: 1, digest: { low: 1, high: 0 } };
const snapshot = (body: Uint8Array): LogRecord => ({ ...HEAD, kind: 'snapshot', body });
const NAMES = encodeDirectory(['a', 'b', 'c']);
const NONE = new Uint8Array(0);
const text = (length: number): Buffer => Buffer.alloc(length, 'what a session repeats, ');
const noise = (length: number): Buffer => randomBytes(seeded(length), length);

function delta(values: readonly Uint8Array[], directoryDelta: Uint8Array = NONE): LogRecord {
  const changes = values.map((bytes, index) => ({
    name: NAMES.names[index] as string,
    op: index === 1 ? ('binary' as const) : ('put' as const),
    bytes,
  }));
  return { ...HEAD, kind: 'delta', body: encodeDeltaBody(NAMES, directoryDelta, changes) };
}

const isPacked = (bytes: Uint8Array): boolean => ((bytes[0] as number) & FLAG_PACKED) !== 0;
const decode = (bytes: Uint8Array, limitBytes: number = LIMIT): LogRecord =>
  decodeRecord(ID, bytes, NO_PARENT, 1, limitBytes);
const fail = (what: string): never => expect.fail(what);

/** A record whose packed bytes are these, with a checksum that fits. */
function forged(packed: Uint8Array, kind: 'snapshot' | 'delta' = 'snapshot'): Buffer {
  const like = encodeRecord(ID, kind === 'snapshot' ? snapshot(NONE) : { ...delta([]), token: 0 }, NO_PARENT, 'off');
  const content = Buffer.concat([like.subarray(0, -4), packed]);
  content[0] = (content[0] as number) | FLAG_PACKED;
  return seal(content, kind === 'delta' ? NO_PARENT : undefined);
}

function packed(codec: number, length: number, deflated: Uint8Array): Buffer {
  const out = new ByteWriter(16 + deflated.length);
  out.byte(codec);
  out.varint(length);
  out.raw(deflated);
  return out.finish();
}

function codeOf(run: () => unknown): [string, string] {
  try {
    run();
  } catch (error) {
    if (error instanceof HoldfastError) return [error.code, error.message];
    throw error;
  }
  return expect.fail('nothing was refused');
}

describe('a snapshot', () => {
  it('is deflated from 512 bytes on, where that saves a tenth, if allowed', () => {
    const auto = (body: Uint8Array): Buffer => encodeRecord(ID, snapshot(body), NO_PARENT, 'auto');
    expect([DEFLATED_BODY_MIN - 1, DEFLATED_BODY_MIN].map((length) => isPacked(auto(text(length))))).toEqual([
      false,
      true,
    ]);
    expect(isPacked(auto(noise(4000)))).toBe(false);
    expect(isPacked(encodeRecord(ID, snapshot(text(4000)), NO_PARENT, 'off'))).toBe(false);
    expect(auto(text(4000)).length).toBeLessThan(150);
    expect(decode(auto(text(4000))).body).toEqual(text(4000));
  });

  it('where the saving is a tenth, and where it falls short of that', () => {
    const bodies = Array.from({ length: 60 }, (_, i) => Buffer.concat([noise(2000), text(100 + 10 * i)]));
    const lengths = bodies.map(
      (body) =>
        [
          encodeRecord(ID, snapshot(body), NO_PARENT, 'off').length,
          encodeRecord(ID, snapshot(body), NO_PARENT, 'auto').length,
        ] as const,
    );
    expect(new Set(lengths.map(([whole, auto]) => whole === auto))).toEqual(new Set([true, false]));
    lengths.forEach(([whole, auto], i) =>
      expect(whole === auto || whole - auto >= 0.1 * (bodies[i] as Buffer).length).toBe(true),
    );
  });

  it('is the same after any deflate: only the inflated bytes count', () => {
    for (const options of [{ level: 0 }, { level: 1 }, { level: 9 }, { level: 6, memLevel: 1 }]) {
      expect(decode(forged(packed(CODEC_DEFLATE, 5000, deflateRawSync(text(5000), options)))).body).toEqual(text(5000));
    }
  });

  it('has the bytes that are drawn', () => {
    const bytes = encodeRecord(ID, snapshot(text(1000)), NO_PARENT, 'auto');
    expect(bytes.subarray(29, 32)).toEqual(Buffer.of(1, 0xe8, 0x07));
  });
});

describe('a delta', () => {
  it('has its values deflated from 16 KB on, put and binary alike, and no small one', () => {
    const auto = (values: Uint8Array[]): Buffer => encodeRecord(ID, delta(values), NO_PARENT, 'auto');
    const large = text(DEFLATED_VALUE_MIN);
    expect(
      [[text(DEFLATED_VALUE_MIN - 1), text(9000)], [large], [NONE, large], [noise(20_000)]].map((values) =>
        isPacked(auto(values)),
      ),
    ).toEqual([false, true, true, false]);
    expect(auto([large]).length).toBeLessThan(300);
    const mixed = [noise(17_000), large, text(5)];
    const read = decodeDeltaBody(decode(auto(mixed)).body, fail);
    expect(
      read.changes.map(({ op, index, bytes }) => [op, index, Buffer.compare(bytes, mixed[index] as Buffer)]),
    ).toEqual([
      ['put', 0, 0],
      ['binary', 1, 0],
      ['put', 2, 0],
    ]);
  });

  it('keeps its body as it was made, with and without a change of the directory', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(0, 1, 16_383, 16_384, 40_000), fc.boolean()), { maxLength: 3 }),
        fc.boolean(),
        (sizes, renamed) => {
          const record = delta(
            sizes.map(([length, random]) => (random ? noise(length) : text(length))),
            renamed ? Uint8Array.of(7, 7) : NONE,
          );
          const bytes = encodeRecord(ID, record, NO_PARENT, 'auto');
          expect(((bytes[0] as number) & FLAG_DIRECTORY) !== 0).toBe(renamed);
          expect(Buffer.compare(decode(bytes).body, record.body)).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('that says it packs, and does not, is refused', () => {
    expect(codeOf(() => decode(forged(Buffer.of(0, 8, 0x55), 'delta')))).toEqual([
      'ERR_CORRUPT',
      expect.stringContaining('no value is compressed'),
    ]);
    expect(codeOf(() => decode(forged(Buffer.of(0, 15, 0x55), 'delta')))[1]).toContain('unknown operation 3');
  });
});

describe('bytes from outside', () => {
  it('are not inflated over the limit', () => {
    const bomb = deflateRawSync(Buffer.alloc(50_000_000));
    expect(bomb.length).toBeLessThan(60_000);
    const before = process.memoryUsage().arrayBuffers;
    expect(codeOf(() => decode(forged(packed(CODEC_DEFLATE, 50_000_000, bomb)), 10_000))).toEqual([
      'ERR_LIMIT',
      expect.stringContaining('limitBytes = 10000'),
    ]);
    expect(codeOf(() => decode(forged(packed(CODEC_DEFLATE, 2 ** 53 - 1, bomb)), Infinity))[0]).toBe('ERR_LIMIT');
    expect(codeOf(() => decode(forged(packed(CODEC_DEFLATE, 9000, bomb)), 10_000))).toEqual([
      'ERR_CORRUPT',
      expect.stringContaining('does not inflate'),
    ]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
  });

  it('count together against the limit in a delta', () => {
    const value = packed(CODEC_DEFLATE, 15_000, deflateRawSync(text(15_000)));
    const two = new ByteWriter(2 * value.length + 20);
    for (const index of [0, 1]) {
      two.varint(index);
      two.varint(value.length * 8 + 4);
      two.raw(value);
    }
    expect(decode(forged(two.finish(), 'delta'), 15_000).body.length).toBeGreaterThan(30_000);
    expect(codeOf(() => decode(forged(two.finish(), 'delta'), 14_000))[0]).toBe('ERR_LIMIT');
  });

  it('of a state at the limit are read, however many lengths lie between the values', () => {
    const names = Array.from({ length: 2000 }, (_, i) => i.toString(36));
    const directory = encodeDirectory(names);
    const out = new ByteWriter(100_000);
    out.varint(directory.bytes.length);
    out.raw(directory.bytes);
    for (const _ of names) out.raw(Uint8Array.of(1, 0xc0));
    expect(
      decode(encodeRecord(ID, snapshot(out.finish()), NO_PARENT, 'auto'), directory.bytes.length + names.length).body,
    ).toEqual(out.finish());
  });

  it.each([0, 2, 255])('with codec %i are refused by name', (codec) => {
    expect(codeOf(() => decode(forged(packed(codec, 600, deflateRawSync(text(600))))))).toEqual([
      'ERR_CORRUPT',
      expect.stringContaining(`codec ${codec},`),
    ]);
  });

  it('that inflate to another length than they say, or not at all, are refused', () => {
    for (const length of [0, 1, 599, 601])
      expect(
        codeOf(() => decode(forged(packed(CODEC_DEFLATE, length, deflateRawSync(text(600))))))[0],
        `${length}`,
      ).toBe('ERR_CORRUPT');
    expect(codeOf(() => decode(forged(packed(CODEC_DEFLATE, 600, noise(40)))))[0]).toBe('ERR_CORRUPT');
    expect(codeOf(() => decode(forged(NONE)))[0]).toBe('ERR_CORRUPT');
  });
});
