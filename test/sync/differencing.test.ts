import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { jsDiffer } from '../../ts/diff/js.ts';
import { loadDiffer } from '../../ts/diff/engine.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { decodeDeltaBody, encodeDeltaBody } from '../../ts/log/body.ts';
import type { AttributeChange } from '../../ts/log/body.ts';
import { Image } from '../../ts/log/image.ts';
import type { LogRecord } from '../../ts/log/record.ts';
import { compare } from './compared.ts';
import { DIFFERENCING, isRearranged } from '../../ts/sync/differencing.ts';
import type { Differencing } from '../../ts/sync/differencing.ts';
import { Replay } from '../../ts/sync/replay.ts';
import { seeded } from '../diff/pairs.ts';
import { edited } from '../graph/edited.ts';
import { ID, LIMIT, Writer, read, stateOf } from './writer.ts';

const fail = (what: string): never => expect.fail(what);
const opsOf = (record: LogRecord): AttributeChange['op'][] =>
  decodeDeltaBody(record.body, fail).changes.map(({ op }) => op);

const rows = (count: number): { id: number; name: string; price: number }[] =>
  Array.from({ length: count }, (_, id) => ({ id, name: `the row of number ${id}`, price: id / 4 }));

const shuffled = <T>(list: readonly T[], seed: number): T[] => {
  const random = seeded(seed);
  const left = [...list];
  return Array.from(list, () => left.splice(random(left.length), 1)[0] as T);
};

describe('differencing', () => {
  it('reads back what was saved, whichever way it went, by either engine', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(edited, fc.constantFrom(...DIFFERENCING)), { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        (all, js) => {
          const differ = js ? jsDiffer : loadDiffer();
          const image = new Image();
          let writer = new Writer('graph', differ);
          writer.save({ none: 0 });
          for (const [[base, target], differencing] of all) {
            const next = new Writer(differencing, differ);
            Object.assign(next, { image: writer.image, log: writer.log, parent: writer.parent });
            writer = next;
            writer.save({ value: base, other: 1 });
            writer.save({ value: target, other: 1 });
          }
          read(writer.log, image);
          expect(image.digest).toEqual(writer.image.digest);
          const [, last] = all.at(-1)![0];
          const bytes = image.value('value')?.bytes as Uint8Array;
          expect(Buffer.compare(bytes, msgpackCodec.encode(last, 'value'))).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  const list = rows(200);
  const cases: [string, unknown, unknown, Record<Differencing, AttributeChange['op']>][] = [
    [
      'a changed field',
      list,
      list.map((row, i) => (i === 7 ? { ...row, price: 9.5 } : row)),
      { auto: 'binary', binary: 'binary', graph: 'graph', off: 'put' },
    ],
    ['another order', list, shuffled(list, 3), { auto: 'graph', binary: 'binary', graph: 'graph', off: 'put' }],
    ['quite another value', 'a'.repeat(90), [1, 2], { auto: 'put', binary: 'put', graph: 'put', off: 'put' }],
    // Shorter than to tell it by parts is what the graph differ too says by bytes.
    [
      'many edits of a text',
      'some words and more. '.repeat(400),
      'some words, and more. '.repeat(400),
      { auto: 'binary', binary: 'binary', graph: 'binary', off: 'put' },
    ],
  ];
  it.each(cases)('sends %s as it is asked to', (_, base, target, expected) => {
    for (const differencing of DIFFERENCING) {
      const writer = new Writer(differencing);
      writer.save({ value: base });
      expect([differencing, opsOf(writer.save({ value: target }))]).toEqual([differencing, [expected[differencing]]]);
      expect(stateOf(read(writer.log).image)).toEqual({ value: target });
    }
  });

  it('is asked of each attribute, and else of the line', () => {
    const writer = new Writer('binary');
    const values: Record<string, unknown> = { a: list, b: list };
    writer.save(values);
    const line = { codec: msgpackCodec, differ: jsDiffer, differencing: 'binary', limitBytes: LIMIT } as never;
    const difference = compare(line, writer.image, {
      touched: ['a', 'b'],
      names: undefined,
      value: () => shuffled(list, 5),
      differencing: (name) => (name === 'a' ? 'graph' : undefined),
    });
    expect(difference?.changes.map(({ op }) => op)).toEqual(['graph', 'binary']);
  });

  it('asks the graph differ by `auto` only where the bytes are those that were there, in another order', () => {
    const random = seeded(2);
    const numbers = (): number[] => Array.from({ length: 2_000 }, () => 70_000 + random(1e9));
    const asked = (base: unknown, target: unknown): boolean => {
      const [from, to] = [msgpackCodec.encode(base, 'base'), msgpackCodec.encode(target, 'target')];
      return isRearranged(from, to, jsDiffer.diff(from, to));
    };
    const some = numbers();
    expect(asked(some, shuffled(some, 1))).toBe(true);
    expect(asked(list, shuffled(list, 1).with(3, { id: 3, name: 'another', price: 1 }))).toBe(true);
    expect(asked(some, numbers())).toBe(false); // all new, and as long
    expect(asked(list, [...list, ...rows(40)])).toBe(false);
    expect(asked(some, some.with(7, 1e9))).toBe(false);
    expect(asked([1, 2, 3, 4], [4, 3, 2, 1])).toBe(false);
  });

  it('is read by parts without encoding the whole for each of them', () => {
    const many = new Writer('graph');
    let now = rows(500);
    many.save({ list: now });
    for (let n = 0; n < 200; n += 1)
      many.save({ list: (now = now.with(n, { id: n, name: `step ${n}`, price: n / 2 })) });
    const encode = vi.spyOn(msgpackCodec, 'encode');
    expect(stateOf(read(many.log).image)).toEqual({ list: now });
    expect(encode.mock.calls.length).toBeLessThan(5);
    vi.restoreAllMocks();
  });

  it('takes by `auto` no step more bytes than by `binary`, and far fewer where parts have moved', () => {
    const random = seeded(11);
    const states: Record<string, unknown>[] = [];
    let now = rows(150);
    for (let step = 0; step < 120; step += 1) {
      const kind = random(6);
      if (kind === 0) now = shuffled(now, step);
      else if (kind === 1) now = now.toReversed();
      else if (kind === 2) now = [...now.slice(1), now[0]!];
      else if (kind === 3) now = now.filter((_, i) => i !== step);
      else if (kind === 4) now = [...now, { id: 1000 + step, name: `a new one, ${step}`, price: random(900) / 100 }];
      else now = now.map((row, i) => (i === random(150) ? { ...row, price: random(900) / 100 } : row));
      states.push({ list: now, byName: Object.fromEntries(now.map((row) => [row.name, row.id])), step });
    }
    const [auto, binary] = [new Writer('auto'), new Writer('binary')];
    const lengths = states.map((state) => [auto.save(state).body.length, binary.save(state).body.length] as const);
    for (const [one, other] of lengths) expect(one).toBeLessThanOrEqual(other);
    const total = (which: 0 | 1): number => lengths.slice(1).reduce((sum, pair) => sum + pair[which], 0);
    expect(total(0)).toBeLessThan(0.6 * total(1));
    expect(stateOf(read(auto.log).image)).toEqual(states.at(-1));
  });
});

/** More of them at length: HOLDFAST_MUTATIONS=100000 npx vitest run test/sync/differencing.test.ts */
const MUTATIONS = Number(process.env['HOLDFAST_MUTATIONS'] ?? 1_000);

describe('a hostile delta of parts in a record', () => {
  const list = rows(40);
  const writer = new Writer('graph');
  const first = writer.save({ list, other: 'untouched' });
  const second = writer.save({ list: [...shuffled(list, 9), { id: 99, name: 'new', price: 1.25 }], other: 'changed' });
  const { directory } = writer.image;
  const [change] = decodeDeltaBody(second.body, fail).changes as unknown as readonly [AttributeChange];

  /** The record with this in place of its delta. */
  const withDelta = (bytes: Uint8Array): LogRecord => ({
    ...second,
    body: encodeDeltaBody(directory, new Uint8Array(0), [
      { name: 'list', op: 'graph', bytes },
      { name: 'other', op: 'put', bytes: msgpackCodec.encode('changed', 'other') },
    ]),
  });

  function refused(records: readonly LogRecord[], limit = LIMIT): HoldfastError | undefined {
    const image = new Image();
    const begin = new Replay(ID, image, jsDiffer, limit);
    begin.add(first);
    begin.finish();
    const { digest, byteLength } = image;
    try {
      const replay = new Replay(ID, image, jsDiffer, limit);
      for (const record of records) replay.add(record);
      replay.finish();
      return undefined;
    } catch (error) {
      expect([image.digest, image.byteLength, image.directory.names]).toEqual([digest, byteLength, ['list', 'other']]);
      expect(stateOf(image)['other']).toBe('untouched');
      return error as HoldfastError;
    }
  }

  it('is damage that names session and revision, and nothing is half applied', () => {
    expect(change.op).toBe('graph');
    expect(refused([withDelta(change.bytes)])).toBe(undefined);
    const random = seeded(31);
    let seen = 0;
    for (let n = 0; n < MUTATIONS; n += 1) {
      const bytes = Buffer.from(change.bytes);
      for (let left = 1 + random(3); left > 0; left -= 1) bytes[random(bytes.length)] = random(256);
      const cut = random(4) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes;
      if (Buffer.compare(cut, change.bytes) === 0) continue;
      const error = refused([withDelta(cut)]);
      expect(error).toBeInstanceOf(HoldfastError);
      expect(['ERR_CORRUPT', 'ERR_LIMIT']).toContain(error?.code);
      expect([error?.session, error?.revision]).toEqual([ID, 2]);
      seen += 1;
    }
    expect(seen).toBeGreaterThan(0.9 * MUTATIONS);
  });

  it('that makes much of little ends at the limit, however many follow', () => {
    // A copy of the element before it takes two bytes.
    const big = [{ text: 'x'.repeat(100_000) }];
    const growing = new Writer('graph');
    const start = growing.save({ list: big });
    const record = growing.save({ list: [...big, ...structuredClone(big)] });
    const [delta] = decodeDeltaBody(record.body, fail).changes as unknown as readonly [AttributeChange];
    expect([delta.op, delta.bytes.length < 30]).toEqual(['graph', true]);
    const replay = new Replay(ID, new Image(), jsDiffer, 150_000);
    replay.add(start);
    replay.add(record);
    expect(() => replay.finish()).toThrow(expect.objectContaining({ code: 'ERR_LIMIT' }) as Error);
  });

  it('in any number doubles what is there no further than the limit', () => {
    const doubled = new Writer('graph');
    let rowsNow: unknown[] = [{ text: 'x'.repeat(1_000) }];
    const records = [doubled.save({ list: rowsNow })];
    for (let n = 0; n < 10; n += 1) {
      rowsNow = [...rowsNow, ...structuredClone(rowsNow)];
      records.push(doubled.save({ list: rowsNow }));
    }
    const replay = new Replay(ID, new Image(), jsDiffer, 100_000);
    for (const record of records) replay.add(record);
    expect(() => replay.finish()).toThrow(expect.objectContaining({ code: 'ERR_LIMIT' }) as Error);
  });

  it('of an unknown operation is refused by name', () => {
    const body = Buffer.from(
      encodeDeltaBody(directory, new Uint8Array(0), [{ name: 'list', op: 'put', bytes: new Uint8Array(1) }]),
    );
    body[2] = 1 * 4 + 3;
    expect(refused([{ ...second, body }])?.message).toContain('unknown operation 3');
  });
});
