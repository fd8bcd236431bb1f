/** Inputs that might take a differ long: values of many structures, changed in many ways, and a search for the slowest. */
import { seeded } from './states.mjs';

const KB = 1 << 10;
const WORDS = 'cart paid user queue retry cache login route price order stock batch token offer query event'.split(' ');

function filled(length, next) {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) bytes[i] = next(i);
  return bytes;
}

/** Text of lines until there is enough of it. */
function lined(length, line) {
  const lines = [];
  for (let size = 0; size < length; size += lines.at(-1).length) lines.push(line(lines.length));
  return Buffer.from(lines.join('').slice(0, length), 'latin1');
}

const pick = (random, list) => list[random(list.length)];

/** `(random, length, k)`: bytes; `k` (1 .. 255) shapes them. */
const VALUES = {
  noise: (random, length, k) => filled(length, () => random(k + 1)),
  cycle: (_, length, k) => filled(length, (i) => (i % (16 * k + 17) === 0 ? 255 : i % k)),
  walk: (random, length, k) => {
    let level = 0;
    return filled(length, () => (level += random(k) - (k >> 1)) & 255);
  },
  words: (random, length, k) => lined(length, () => `${pick(random, WORDS).slice(0, 1 + (k & 7))} `),
  rows: (random, length, k) => lined(length, (i) => `${1000 + i},${pick(random, WORDS)},${random(k * k)}\n`),
  items: (random, length, k) =>
    lined(length, (i) => `{"id":${i},"name":"${pick(random, WORDS)}","price":${random(k * 1000) / 100}},`),
  indents: (random, length, k) => lined(length, () => `${' '.repeat(1 + random(k & 15))}"${pick(random, WORDS)}":1,\n`),
  ids: (random, length, k) => lined(length, () => `${random(2 ** 32).toString(k & 1 ? 16 : 36)}\n`),
  doubles: (random, length, k) => filled(length, (i) => (i % 8 > 5 ? 64 + (random(k) >> 5) : random(256))),
};

/** Pieces of `k` bytes, or of a line and more where the value has lines. */
function pieces(bytes, k) {
  const parts = [];
  for (let from = 0; from < bytes.length;) {
    const line = bytes.indexOf(10, from + (k >> 2));
    const to = line < 0 || line > from + 4 * k + 64 ? from + k + 1 : line + 1;
    parts.push(bytes.subarray(from, to));
    from = to;
  }
  return parts;
}

function shuffled(random, parts) {
  for (let i = parts.length - 1; i > 0; i--) {
    const other = random(i + 1);
    [parts[i], parts[other]] = [parts[other], parts[i]];
  }
  return parts;
}

/** `(random, bytes, k)`: bytes. */
const CHANGES = {
  shuffle: (random, bytes, k) => Buffer.concat(shuffled(random, pieces(bytes, k))),
  swap: (random, bytes, k) =>
    Buffer.concat(pieces(bytes, k).map((part, i, all) => (random(3) === 0 ? (all[i ^ 1] ?? part) : part))),
  reverse: (_, bytes, k) => Buffer.concat(pieces(bytes, k).toReversed()),
  replace: (random, bytes, k) => filled(bytes.length, (i) => (random(k) === 0 ? random(256) : bytes[i])),
  every: (_, bytes, k) => filled(bytes.length, (i) => (i % (k + 1) === k ? ~bytes[i] : bytes[i])),
  step: (_, bytes, k) => filled(bytes.length, (i) => bytes[i] + (i % (k + 1) === k ? 1 : 0)),
  insert: (random, bytes, k) => Buffer.concat(pieces(bytes, k).flatMap((part) => [part, Buffer.from([random(256)])])),
  widen: (_, bytes, k) => Buffer.concat(pieces(bytes, k).flatMap((part) => [part.subarray(0, 2), part])),
  drop: (_, bytes, k) => Buffer.concat(pieces(bytes, k).map((part) => part.subarray(1))),
  repeat: (random, bytes, k) =>
    Buffer.concat(pieces(bytes, k).map((part, i, all) => (random(4) === 0 ? all[random(i + 1)] : part))),
  salt: (random, bytes, k) =>
    Buffer.concat(pieces(bytes, k).flatMap((part) => [part, filled(1 + random(k), () => random(256))])),
  turn: (random, bytes) => {
    const at = random(bytes.length);
    return Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)]);
  },
};

const SIZES = [4 * KB, 16 * KB, 64 * KB, 256 * KB, 1024 * KB];

/** What a pair is made from: `[[value, k], [change, k] …]`, a seed, and the lengths' places in `SIZES`. */
function newPlan(random) {
  const changes = Array.from({ length: 1 + random(3) }, () => [pick(random, Object.keys(CHANGES)), 1 + random(255)]);
  const size = random(SIZES.length);
  return { value: [pick(random, Object.keys(VALUES)), 1 + random(255)], changes, seed: random(1e6), size };
}

/** One thing of the plan is another. */
function varied(random, plan) {
  const { changes } = plan;
  const at = random(changes.length);
  const [change, k] = changes[at];
  const near = Math.min(Math.max(k + random(1 + (k >> 1)) - (k >> 2), 1), 255);
  const other = newPlan(random);
  return pick(random, [
    { ...plan, size: other.size },
    { ...plan, value: other.value },
    { ...plan, value: [plan.value[0], other.value[1]] },
    { ...plan, changes: changes.with(at, [change, near]) },
    { ...plan, changes: changes.with(at, other.changes[0]) },
    { ...plan, changes: changes.length < 4 ? [...changes, other.changes[0]] : changes.slice(1) },
  ]);
}

/** `{ name, base, target }` of a plan. */
export function pairOf({ value, changes, seed, size }) {
  const random = seeded(seed);
  const base = VALUES[value[0]](random, SIZES[size], value[1]);
  let target = base;
  for (const [change, k] of changes) target = CHANGES[change](random, target, k).subarray(0, 4 * SIZES[size]);
  return {
    name: `${SIZES[size] / KB} KB: ${[value, ...changes].map((part) => part.join(' ')).join(', ')}`,
    base,
    target,
  };
}

/** Plans that are varied: the slowest so far. */
const KEPT = 8;

/** The slowest pairs of so many, by `cost(pair)`: half of them new, half variations of one of the slowest so far. */
export function slowest(count, seed, cost) {
  const random = seeded(seed);
  const kept = [];
  for (let i = 0; i < count; i++) {
    const isNew = kept.length < KEPT || random(2) === 0;
    const plan = isNew ? newPlan(random) : varied(random, pick(random, kept).plan);
    const pair = pairOf(plan);
    if (pair.target.length === 0 || pair.base.equals(pair.target)) continue;
    kept.push({ plan, pair, cost: cost(pair) });
    kept.sort((a, b) => b.cost - a.cost);
    kept.length = Math.min(kept.length, KEPT);
  }
  return kept;
}
