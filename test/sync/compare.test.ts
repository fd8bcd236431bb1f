import { expect, it } from 'vitest';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { jsDiffer } from '../../ts/diff/js.ts';
import { Image, encodeDirectory } from '../../ts/log/image.ts';
import { compare } from './compared.ts';
import type { Line } from '../../ts/sync/line.ts';

const NAMES = Array.from({ length: 100 }, (_, i) => `a${i}`);
const state: Record<string, unknown> = Object.fromEntries(
  NAMES.map((name, i) => [name, { n: i, text: 'x'.repeat(200) }]),
);

/** A line that notes what is encoded, and each call of the differ with the number of values that it gets. */
function watched(differencing: 'binary' | 'off'): { line: Line; encoded: string[]; calls: number[] } {
  const encoded: string[] = [];
  const calls: number[] = [];
  const codec = {
    ...msgpackCodec,
    look: (value: unknown, name: string) => (encoded.push(name), msgpackCodec.look(value, name)),
  };
  const differ: typeof jsDiffer = {
    ...jsDiffer,
    diffBatch: (bases, targets, out, results) => (
      calls.push(targets.length),
      jsDiffer.diffBatch(bases, targets, out, results)
    ),
  };
  return { line: { codec, differ, differencing } as unknown as Line, encoded, calls };
}

function savedImage(line: Line): Image {
  const image = new Image();
  const names = NAMES;
  const difference = compare(line, image, { touched: names, names, value: (name) => state[name] });
  const directory = encodeDirectory(names);
  image.accept(image.stage(directory, difference?.values ?? new Map()), { revision: 1, nonce: 1 });
  return image;
}

it.each(['binary', 'off'] as const)(
  'encodes what was touched, and asks the differ once for all that differs: differencing %s',
  (differencing) => {
    const { line, encoded, calls } = watched(differencing);
    const image = savedImage(line);
    encoded.length = calls.length = 0;
    const now: Record<string, unknown> = { ...state, a7: { n: 70, text: 'x'.repeat(200) }, a9: 'short' };
    const touched = ['a7', 'a8', 'a9'];
    const difference = compare(line, image, { touched, names: undefined, value: (name) => now[name] });
    expect([encoded, calls]).toEqual([touched, [2]]);
    // by attribute: a delta where that is shorter, the whole value where it is not, nothing where it is equal
    expect(difference?.changes.map(({ name, op }) => [name, op])).toEqual([
      ['a7', differencing === 'binary' ? 'binary' : 'put'],
      ['a9', 'put'],
    ]);
    expect([...(difference?.values.keys() ?? [])]).toEqual(['a7', 'a9']);
  },
);

it.each<[string, unknown, boolean]>([
  ['a number', 7, true],
  ['a flag', false, true],
  ['three characters', 'abc', true],
  ['four characters', 'abcd', false],
  ['a large number', 2 ** 40, false],
])('a tiny value travels whole, without the differ, in the bytes that it would have: %s', (_, value, tiny) => {
  const { line, calls } = watched('binary');
  const image = savedImage(line);
  const save = (name: string): ReturnType<typeof compare> =>
    compare(line, image, { touched: [name], names: undefined, value: () => value });
  calls.length = 0;
  const difference = save('a3');
  expect(calls).toEqual(tiny ? [] : [1]);
  const bytes = msgpackCodec.encode(value, 'a3');
  expect(difference?.changes).toEqual([{ name: 'a3', op: 'put', bytes }]);
  const hash = new Uint32Array(3); // as the results of a batch
  jsDiffer.hashBatch([bytes], hash);
  expect(difference?.values.get('a3')).toEqual({ bytes, low: hash[1], high: hash[2] });
  image.accept(image.stage(undefined, difference?.values ?? new Map()), { revision: 2, nonce: 2 });
  expect(save('a3')).toBeUndefined();
});

it('what is equal is not shown to the differ, long or short', () => {
  const { line, calls } = watched('binary');
  const image = savedImage(line);
  calls.length = 0;
  expect(
    compare(line, image, { touched: NAMES, names: undefined, value: (name) => structuredClone(state[name]) }),
  ).toBeUndefined();
  expect(calls).toEqual([]);
});

it('asks nobody where nothing was touched', () => {
  const { line, encoded, calls } = watched('binary');
  const image = savedImage(line);
  encoded.length = calls.length = 0;
  expect(compare(line, image, { touched: [], names: undefined, value: () => undefined })).toBeUndefined();
  expect([encoded, calls]).toEqual([[], []]);
});
