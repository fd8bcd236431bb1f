/**
 * XXH3, 64 bits, seed 0, after the specification at https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md.
 * A 64-bit number is a pair of signed 32-bit halves; results of the helpers are left in `low` and `high`.
 */

const SECRET = Uint8Array.from(
  Buffer.from(
    'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
      '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364' +
      'eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
    'hex',
  ),
);
const secretView = new DataView(SECRET.buffer, SECRET.byteOffset, SECRET.length);

const STRIPE = 64;
const STRIPES_PER_BLOCK = 16;
const BLOCK = STRIPE * STRIPES_PER_BLOCK;
const LANES = 8;

/** The secret's words at every multiple of 4: stripe n uses those from 2n on. */
const secretWords = new Int32Array(48);
for (let i = 0; i < 48; i++) secretWords[i] = secretView.getInt32(4 * i, true);
/** Those of the last stripe (byte 121) and of the merge (byte 11). */
const lastWords = new Int32Array(16);
const mergeWords = new Int32Array(16);
for (let i = 0; i < 16; i++) {
  lastWords[i] = secretView.getInt32(121 + 4 * i, true);
  mergeWords[i] = secretView.getInt32(11 + 4 * i, true);
}

const P32_1 = 0x9e3779b1 | 0;
const P32_2 = 0x85ebca77 | 0;
const P32_3 = 0xc2b2ae3d | 0;
const P64_1_LOW = 0x85ebca87 | 0;
const P64_1_HIGH = 0x9e3779b1 | 0;
const P64_2_LOW = 0x27d4eb4f | 0;
const P64_2_HIGH = 0xc2b2ae3d | 0;
const P64_3_LOW = 0x9e3779f9 | 0;
const P64_3_HIGH = 0x165667b1;
const P64_4_LOW = 0xc2b2ae63 | 0;
const P64_4_HIGH = 0x85ebca77 | 0;
const P64_5_LOW = 0x165667c5;
const P64_5_HIGH = 0x27d4eb2f;
const MIX_1_LOW = 0x9e3779f9 | 0;
const MIX_1_HIGH = 0x16566791;
const MIX_2_LOW = 0x1e98df25;
const MIX_2_HIGH = 0x9fb21c65 | 0;

let low = 0;
let high = 0;

/** The upper half of an unsigned 32 x 32 bit product. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const first = (Math.imul(aHigh, bLow) >>> 0) + (Math.imul(aLow, bLow) >>> 16);
  const second = (Math.imul(aLow, bHigh) >>> 0) + (first & 0xffff);
  return (Math.imul(aHigh, bHigh) + Math.floor(first / 0x10000) + Math.floor(second / 0x10000)) | 0;
}

/** The lower 64 bits of a 64 x 64 bit product. */
function multiply(aLow: number, aHigh: number, bLow: number, bHigh: number): void {
  high = (multiplyHigh(aLow, bLow) + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) | 0;
  low = Math.imul(aLow, bLow);
}

/** The halves of a 64 x 64 bit product, combined by exclusive or. */
function multiplyFold(aLow: number, aHigh: number, bLow: number, bHigh: number): void {
  const crossA = Math.imul(aHigh, bLow) >>> 0;
  const crossB = Math.imul(aLow, bHigh) >>> 0;
  const top = Math.imul(aHigh, bHigh) >>> 0;
  const middle = (multiplyHigh(aLow, bLow) >>> 0) + crossA + crossB;
  const third =
    (multiplyHigh(aHigh, bLow) >>> 0) + (multiplyHigh(aLow, bHigh) >>> 0) + top + Math.floor(middle / 0x100000000);
  const fourth = (multiplyHigh(aHigh, bHigh) >>> 0) + Math.floor(third / 0x100000000);
  low = Math.imul(aLow, bLow) ^ (third | 0);
  high = (middle | 0) ^ (fourth | 0);
}

function add(aLow: number, aHigh: number, bLow: number, bHigh: number): void {
  low = (aLow + bLow) | 0;
  high = (aHigh + bHigh + (low >>> 0 < aLow >>> 0 ? 1 : 0)) | 0;
}

function shiftXor(bits: number): void {
  if (bits >= 32) {
    low ^= high >>> (bits - 32);
    return;
  }
  low ^= (low >>> bits) | (high << (32 - bits));
  high ^= high >>> bits;
}

function avalanche(): void {
  shiftXor(37);
  multiply(low, high, MIX_1_LOW, MIX_1_HIGH);
  shiftXor(32);
}

function avalanche64(): void {
  shiftXor(33);
  multiply(low, high, P64_2_LOW, P64_2_HIGH);
  shiftXor(29);
  multiply(low, high, P64_3_LOW, P64_3_HIGH);
  shiftXor(32);
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function secret(at: number): number {
  return secretView.getInt32(at, true);
}

/** Adds the fold of 16 bytes, keyed by the secret at `key`, to (low, high). */
function mix16(bytes: Uint8Array, at: number, key: number): void {
  const sumLow = low;
  const sumHigh = high;
  multiplyFold(
    word(bytes, at) ^ secret(key),
    word(bytes, at + 4) ^ secret(key + 4),
    word(bytes, at + 8) ^ secret(key + 8),
    word(bytes, at + 12) ^ secret(key + 12),
  );
  add(sumLow, sumHigh, low, high);
}

function upTo3(bytes: Uint8Array, at: number, n: number): void {
  const last = bytes[at + n - 1]!;
  const combined = (bytes[at]! << 16) | (bytes[at + (n >> 1)]! << 24) | last | (n << 8);
  low = combined ^ secret(0) ^ secret(4);
  high = 0;
  avalanche64();
}

function upTo8(bytes: Uint8Array, at: number, n: number): void {
  low = word(bytes, at + n - 4) ^ secret(8) ^ secret(16);
  high = word(bytes, at) ^ secret(12) ^ secret(20);
  const l = low;
  const h = high;
  // rotations by 49 and 24
  low = l ^ ((h << 17) | (l >>> 15)) ^ ((l << 24) | (h >>> 8));
  high = h ^ ((l << 17) | (h >>> 15)) ^ ((h << 24) | (l >>> 8));
  multiply(low, high, MIX_2_LOW, MIX_2_HIGH);
  const shifted = high >>> 3;
  low ^= shifted + n;
  multiply(low, high, MIX_2_LOW, MIX_2_HIGH);
  shiftXor(28);
}

function swap(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

function upTo16(bytes: Uint8Array, at: number, n: number): void {
  const aLow = word(bytes, at) ^ secret(24) ^ secret(32);
  const aHigh = word(bytes, at + 4) ^ secret(28) ^ secret(36);
  const bLow = word(bytes, at + n - 8) ^ secret(40) ^ secret(48);
  const bHigh = word(bytes, at + n - 4) ^ secret(44) ^ secret(52);
  multiplyFold(aLow, aHigh, bLow, bHigh);
  const foldLow = low;
  const foldHigh = high;
  add(swap(aHigh), swap(aLow), n, 0);
  add(low, high, bLow, bHigh);
  add(low, high, foldLow, foldHigh);
  avalanche();
}

function upTo128(bytes: Uint8Array, at: number, n: number): void {
  const end = at + n;
  multiply(n, 0, P64_1_LOW, P64_1_HIGH);
  for (let pair = (n - 1) >> 5; pair >= 0; pair--) {
    mix16(bytes, at + 16 * pair, 32 * pair);
    mix16(bytes, end - 16 * (pair + 1), 32 * pair + 16);
  }
  avalanche();
}

function upTo240(bytes: Uint8Array, at: number, n: number): void {
  multiply(n, 0, P64_1_LOW, P64_1_HIGH);
  for (let i = 0; i < 8; i++) mix16(bytes, at + 16 * i, 16 * i);
  avalanche();
  const rounds = n >> 4;
  for (let i = 8; i < rounds; i++) mix16(bytes, at + 16 * i, 16 * (i - 8) + 3);
  mix16(bytes, at + n - 16, 119);
  avalanche();
}

/** Eight 64-bit sums: low halves, then high halves. */
const sums = new Int32Array(2 * LANES);

/** Folds `count` stripes into the sums; stripe i is keyed by `key` from `2 * i` on. */
function accumulate(view: DataView, at: number, count: number, key: Int32Array): void {
  for (let stripe = 0; stripe < count; stripe++) {
    const start = at + stripe * STRIPE;
    for (let lane = 0; lane < LANES; lane++) {
      const valueLow = view.getInt32(start + 8 * lane, true);
      const valueHigh = view.getInt32(start + 8 * lane + 4, true);
      const other = lane ^ 1;
      const otherLow = sums[other]!;
      const otherSum = (otherLow + valueLow) | 0;
      sums[other] = otherSum;
      sums[LANES + other] = (sums[LANES + other]! + valueHigh + (otherSum >>> 0 < otherLow >>> 0 ? 1 : 0)) | 0;
      const a = valueLow ^ key[2 * (stripe + lane)]!;
      const b = valueHigh ^ key[2 * (stripe + lane) + 1]!;
      const aLow = a & 0xffff;
      const aHigh = a >>> 16;
      const bLow = b & 0xffff;
      const bHigh = b >>> 16;
      // Both partial sums stay below 2^32: (2^16 - 1)^2 + 2^16 - 1.
      const first = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
      const second = (Math.imul(aLow, bHigh) + (first & 0xffff)) | 0;
      const productHigh = (Math.imul(aHigh, bHigh) + (first >>> 16) + (second >>> 16)) | 0;
      const ownLow = sums[lane]!;
      const ownSum = (ownLow + Math.imul(a, b)) | 0;
      sums[lane] = ownSum;
      sums[LANES + lane] = (sums[LANES + lane]! + productHigh + (ownSum >>> 0 < ownLow >>> 0 ? 1 : 0)) | 0;
    }
  }
}

function scramble(): void {
  for (let lane = 0; lane < LANES; lane++) {
    low = sums[lane]!;
    high = sums[LANES + lane]!;
    shiftXor(47);
    multiply(low ^ secretWords[32 + 2 * lane]!, high ^ secretWords[33 + 2 * lane]!, P32_1, 0);
    sums[lane] = low;
    sums[LANES + lane] = high;
  }
}

function long(bytes: Uint8Array, at: number, n: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, n);
  sums.set([P32_3, P64_1_LOW, P64_2_LOW, P64_3_LOW, P64_4_LOW, P32_2, P64_5_LOW, P32_1]);
  sums.set([0, P64_1_HIGH, P64_2_HIGH, P64_3_HIGH, P64_4_HIGH, 0, P64_5_HIGH, 0], LANES);
  const blocks = Math.floor((n - 1) / BLOCK);
  for (let block = 0; block < blocks; block++) {
    accumulate(view, block * BLOCK, STRIPES_PER_BLOCK, secretWords);
    scramble();
  }
  const done = blocks * BLOCK;
  accumulate(view, done, Math.floor((n - 1 - done) / STRIPE), secretWords);
  accumulate(view, n - STRIPE, 1, lastWords);
  multiply(n, 0, P64_1_LOW, P64_1_HIGH);
  for (let i = 0; i < 4; i++) {
    const sumLow = low;
    const sumHigh = high;
    multiplyFold(
      sums[2 * i]! ^ mergeWords[4 * i]!,
      sums[LANES + 2 * i]! ^ mergeWords[4 * i + 1]!,
      sums[2 * i + 1]! ^ mergeWords[4 * i + 2]!,
      sums[LANES + 2 * i + 1]! ^ mergeWords[4 * i + 3]!,
    );
    add(sumLow, sumHigh, low, high);
  }
  avalanche();
}

/** Writes XXH3-64 of `bytes[start..end]` to `out`: the low half at `at`, the high half after it. */
export function xxh3(bytes: Uint8Array, start: number, end: number, out: Uint32Array, at: number): void {
  const n = end - start;
  if (n === 0) {
    low = secret(56) ^ secret(64);
    high = secret(60) ^ secret(68);
    avalanche64();
  } else if (n <= 3) upTo3(bytes, start, n);
  else if (n <= 8) upTo8(bytes, start, n);
  else if (n <= 16) upTo16(bytes, start, n);
  else if (n <= 128) upTo128(bytes, start, n);
  else if (n <= 240) upTo240(bytes, start, n);
  else long(bytes, start, n);
  out[at] = low;
  out[at + 1] = high;
}
