import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsDiffer } from '../../ts/diff/js.ts';
import { encodeAliasBody } from '../../ts/log/body.ts';
import { Image } from '../../ts/log/image.ts';
import { NO_PARENT, decodeRecord } from '../../ts/log/record.ts';
import type { LogRecord } from '../../ts/log/record.ts';
import { Replay } from '../../ts/sync/replay.ts';
import { ID, LIMIT, Writer, read, stateOf } from './writer.ts';
import type { State } from './writer.ts';

const states: fc.Arbitrary<State[]> = fc.array(
  fc.dictionary(
    fc.constantFrom('a', 'b', 'c', 'é', ''),
    fc.oneof(
      fc.integer(),
      fc.string(),
      fc.constantFrom('long '.repeat(5000), 'long '.repeat(5001)),
      fc.array(fc.integer()),
    ),
    { noNullPrototype: true },
  ),
  { minLength: 1, maxLength: 8 },
);

describe('a log', () => {
  it('reads as it was saved, in one go and in steps, compressed or not', () => {
    fc.assert(
      fc.property(states, fc.constantFrom('auto' as const, 'off' as const), fc.nat(7), (all, compress, cut) => {
        const writer = new Writer();
        for (const state of all) writer.save(state, { compress });
        const whole = read(writer.log);
        expect(stateOf(whole.image)).toEqual(all.at(-1));
        expect(whole.image.digest).toEqual(writer.image.digest);
        const half = read(writer.log.slice(0, cut));
        const rest = read(writer.log.slice(cut), half.image, half.parent);
        expect(stateOf(rest.image)).toEqual(all.at(-1));
        expect(whole.image.byteLength).toBe(writer.image.byteLength);
      }),
      { numRuns: 150 },
    );
  });

  it('carries schema versions: kept where nobody says otherwise, changed alone, dropped with their attribute', () => {
    const writer = new Writer();
    writer.save({ a: 1, b: 2 }, { versions: new Map([['a', 3]]) });
    const first = writer.image.digest;
    writer.save({ a: 1, b: 2, c: 3 });
    expect(read(writer.log).image.directory.versions).toEqual(new Map([['a', 3]]));
    const { body } = writer.save({ a: 1, b: 2, c: 3 }, { versions: new Map([['a', 4]]) });
    expect(body.length).toBeLessThan(12);
    expect(read(writer.log).image.directory.versions).toEqual(new Map([['a', 4]]));
    writer.save({ b: 2 });
    expect(read(writer.log).image.directory.versions).toEqual(new Map());
    expect(writer.image.digest).not.toEqual(first);
  });

  it('weighs the same whether it is compressed or not', () => {
    const weights = (['auto', 'off'] as const).map((compress) => {
      const writer = new Writer();
      writer.save({ text: 'x'.repeat(30_000) }, { compress });
      writer.save({ text: 'y'.repeat(30_000), more: 'z'.repeat(20_000) }, { compress });
      let parent = NO_PARENT;
      const bodies = writer.log.map((bytes) => {
        const record = decodeRecord(ID, bytes, parent, parent.revision + 1, LIMIT);
        parent = record;
        return record.body.length;
      });
      return { bodies, stored: writer.log.map(({ length }) => length) };
    });
    expect(weights[0]?.bodies).toEqual(weights[1]?.bodies);
    expect(weights[0]?.stored[0]).toBeLessThan((weights[1]?.stored[0] as number) / 10);
  });
});

/** What an image holds on to. */
function memoryOf(image: Image): { pieces: Set<unknown>; bytes: number } {
  const { directory } = image;
  const values = directory.names.map((name) => image.value(name)?.bytes as Uint8Array);
  const pieces = new Set([directory.bytes, ...values].map(({ buffer }) => buffer));
  return { pieces, bytes: [...pieces].reduce((sum, { byteLength }) => sum + byteLength, 0) };
}

describe('a replay', () => {
  it('refuses records whose sum has another digest, in the lane that they carry', () => {
    const writer = new Writer();
    const snapshot = writer.save({ a: 1 });
    const delta = writer.save({ a: 2 });
    const replayed = (change: (record: LogRecord) => LogRecord): unknown => {
      const replay = new Replay(ID, new Image(), jsDiffer, LIMIT);
      replay.add(snapshot);
      replay.add(change(delta));
      return replay.finish();
    };
    expect(replayed((record) => ({ ...record, digest: { low: record.digest.low, high: 0 } }))).toBe('all');
    expect(() => replayed((record) => ({ ...record, digest: { low: record.digest.low ^ 1, high: 0 } }))).toThrow(
      expect.objectContaining({ code: 'ERR_CORRUPT', revision: 2 }) as Error,
    );
    const alone = new Replay(ID, new Image(), jsDiffer, LIMIT);
    alone.add({ ...snapshot, digest: { ...snapshot.digest, high: 0 } });
    expect(() => alone.finish()).toThrow(/digest/);
  });

  it.each(['tombstone', 'alias'] as const)('refuses to go on behind a %s', (kind) => {
    const replay = new Replay(ID, new Image(), jsDiffer, LIMIT);
    const end = {
      kind,
      revision: 1,
      nonce: 1,
      parentNonce: 0,
      time: 0,
      token: 0,
      digest: { low: 0, high: 0 },
      body: kind === 'alias' ? encodeAliasBody({ id: 'b', until: 1 }) : new Uint8Array(0),
    };
    expect(() => replay.add(end)).toThrow(expect.objectContaining({ code: 'ERR_CORRUPT' }) as Error);
  });

  it('keeps no memory of the records that it was given', () => {
    const writer = new Writer();
    const small = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`n${i}`, `value ${i}`]));
    writer.save({ ...small, large: 'x'.repeat(4_000_000) }, { compress: 'off' });
    writer.save({ ...small, n3: 'changed' });
    writer.save({ ...small, n3: 'changed', fresh: 'put '.repeat(10) });
    const { image } = read(writer.log);
    expect(memoryOf(image).bytes).toBeLessThan(image.byteLength + 16);
    expect(memoryOf(image).pieces.size).toBeLessThanOrEqual(3); // the directory, the large value, all others
    const written = memoryOf(writer.image);
    expect(written.bytes).toBeLessThan(image.byteLength + 4096); // with what three saves have encoded
    expect(written.pieces.size).toBeLessThanOrEqual(5); // as above, one piece for each save
    expect(memoryOf(image).pieces.has((writer.log[0] as Buffer).buffer)).toBe(false);
  });
});
