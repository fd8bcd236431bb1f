/** Values as sessions have them, by the thousand: faster made than by fast-check, and each again by its seed. */
export type Random = (most: number) => number;

/** Whole numbers from 0 to `most`. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (most) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % (most + 1);
  };
}

const WORDS = [
  'id',
  'name',
  'key',
  'sku',
  'a',
  'b',
  'value',
  'list',
  'größe',
  '7',
  '12',
  '0',
  'constructor',
  '',
  '日本',
  '\ud83d\ude00 x',
];
const NUMBERS = [
  0,
  -0,
  1,
  -1,
  31,
  -33,
  128,
  -129,
  65_536,
  -70_000,
  2 ** 31,
  2 ** 32,
  19.99,
  -0.5,
  1 / 3,
  NaN,
  Infinity,
  1e300,
];

const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length - 1)]!;
const times = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n));

function text(random: Random): string {
  return times(random(random(12) === 0 ? 40 : 5), () => pick(random, WORDS)).join(' ');
}

function leaf(random: Random): unknown {
  switch (random(15)) {
    case 0:
      return null;
    case 1:
      return undefined;
    case 2:
    case 3:
      return random(1) === 0;
    case 4:
      return BigInt(random(1e9)) * BigInt(random(1e9)) * (random(1) === 0 ? -1n : 1n);
    case 5:
      return new Date(pick(random, [0, 1_000, 1_234, 2 ** 42, -5, NaN, 8.64e15, random(1e9) * 1_000]));
    case 6:
      return times(random(70), () => random(3))
        .reduce((bytes, byte, n) => bytes.fill(byte, n), Buffer.alloc(70))
        .subarray(random(60));
    case 7:
      return pick(random, [Float64Array, Uint8Array, Uint16Array]).from(times(random(6), () => random(9)));
    case 8:
    case 9:
    case 10:
      return text(random);
    case 11:
      return pick(random, NUMBERS);
    case 12:
      return random(1e5) / 100;
    default:
      return random(pick(random, [9, 300, 100_000, 5e9]));
  }
}

export function value(random: Random, depth = 0): unknown {
  if (depth > 3 || random(2 + depth) > 2) return leaf(random);
  const count = random(random(9) === 0 ? 20 : 5);
  switch (random(9)) {
    case 0:
      return new Map(
        times(count, () => [random(3) === 0 ? value(random, depth + 1) : text(random), value(random, depth + 1)]),
      );
    case 1:
      return new Set(times(count, () => value(random, depth + 1)));
    case 2: {
      const list = times(count, () => value(random, depth + 1));
      if (random(1) === 0) list.length += random(3);
      return list;
    }
    case 3:
    case 4:
      return times(count, (n) => ({ [pick(random, ['id', 'key', 'n'])]: random(20), n, v: value(random, depth + 1) }));
    case 5:
    case 6:
      return times(count, () => (random(2) === 0 ? value(random, depth + 1) : random(3)));
    default: {
      const object = (random(9) === 0 ? Object.create(null) : {}) as Record<string, unknown>;
      for (let n = 0; n < count; n += 1)
        object[random(3) === 0 ? text(random) : `${pick(random, WORDS)}${random(9)}`] = value(random, depth + 1);
      return object;
    }
  }
}
