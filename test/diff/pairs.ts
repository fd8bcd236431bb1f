/** Seeded pairs of base and target that cover every way in which values change. */

/** Numbers in 0 .. n - 1, the same for the same seed. */
export type Random = (n: number) => number;

export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

export function randomBytes(random: Random, length: number, alphabet = 256): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = random(alphabet);
  return bytes;
}

/** Periodic bytes with a few flaws. */
function periodic(random: Random, length: number): Buffer {
  const period = randomBytes(random, 1 + random(40));
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = period[i % period.length]!;
  for (let i = random(4); i > 0 && length > 0; i--) bytes[random(length)] = random(256);
  return bytes;
}

const WORDS = ['session', 'cart', 'player', 'order', 'message', 'level', 'token', 'north', 'stone'];

function record(random: Random, id: number): object {
  return {
    id,
    type: WORDS[random(9)],
    x: random(1e6) / 1000,
    y: random(1e6) / 1000,
    name: WORDS[random(9)],
    ok: random(2) === 0,
  };
}

/** JSON text of a list of records of about this length. */
function json(random: Random, length: number): Buffer {
  const list = Array.from({ length: Math.ceil(length / 75) }, (_, i) => record(random, 1000 + i));
  return Buffer.from(JSON.stringify(list));
}

/** JSON text, and the same after edits of its records. */
function jsonPair(random: Random, length: number): [Buffer, Buffer] {
  const list = JSON.parse(json(random, length).toString()) as Record<string, unknown>[];
  const base = Buffer.from(JSON.stringify(list));
  for (let i = random(12); i >= 0 && list.length > 0; i--) {
    const at = random(list.length);
    const kind = random(4);
    if (kind === 0) list.splice(at, 1);
    else if (kind === 1) list.splice(at, 0, record(random, random(5000)) as Record<string, unknown>);
    else if (kind === 2) list.push(...list.splice(at, 1 + random(5)));
    else list[at]!['x'] = random(1e6) / 1000;
  }
  return [base, Buffer.from(JSON.stringify(list))];
}

/** Some edits: replacements, insertions, deletions, copies, moves and runs. */
function edited(random: Random, base: Buffer, count: number): Buffer {
  let bytes = base;
  for (let i = 0; i < count; i++) {
    const at = random(bytes.length + 1);
    const end = Math.min(bytes.length, at + random(1 + Math.min(300, bytes.length)));
    const from = random(bytes.length + 1);
    const middle = [
      randomBytes(random, end - at),
      randomBytes(random, random(20)),
      Buffer.alloc(0),
      Buffer.from(bytes.subarray(from, from + random(500))),
      Buffer.alloc(random(100), random(256)),
      Buffer.from(bytes.subarray(at, end)).reverse(),
    ][random(6)]!;
    bytes = Buffer.concat([bytes.subarray(0, at), middle, bytes.subarray(random(3) === 0 ? at : end)]);
  }
  return bytes;
}

/** Blocks of the base in another order. */
function shuffled(random: Random, base: Buffer): Buffer {
  const block = 1 + random(Math.max(1, base.length >> 2));
  const blocks: Buffer[] = [];
  for (let at = 0; at < base.length; at += block)
    blocks.splice(random(blocks.length + 1), 0, base.subarray(at, at + block));
  return Buffer.concat(blocks);
}

function content(random: Random, length: number): Buffer {
  const kind = random(4);
  if (kind === 0) return randomBytes(random, length);
  if (kind === 1) return randomBytes(random, length, 3);
  return kind === 2 ? periodic(random, length) : json(random, length).subarray(0, length);
}

/** A pair of at most about `scale` bytes each. */
export function makePair(random: Random, scale: number): [Buffer, Buffer] {
  const length = random(scale + 1);
  const base = content(random, length);
  switch (random(9)) {
    case 0:
      return [base, Buffer.from(base)];
    case 1:
      return [base, base.subarray(0, random(length + 1))];
    case 2:
      return [base, base.subarray(random(length + 1))];
    case 3:
      return [base, content(random, random(scale + 1))];
    case 4:
      return [base, shuffled(random, base)];
    case 5:
      return jsonPair(random, length);
    case 6:
      return [base, edited(random, base, 1)];
    case 7:
      return [edited(random, base, 2), base];
    default:
      return [base, edited(random, base, 1 + random(20))];
  }
}

/** The same bytes at an odd offset into larger memory. */
export function atOddOffset(bytes: Uint8Array): Uint8Array {
  const room = new Uint8Array(bytes.length + 3);
  room.set(bytes, 1);
  return room.subarray(1, 1 + bytes.length);
}
