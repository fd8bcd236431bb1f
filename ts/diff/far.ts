const SPACING = 16;
/** A base with more grams than this is sampled more thinly, which bounds the table to 16 MB. */
const GRAMS_MAX = 1 << 20;
const TAG_BITS = 6;
const TAG_MASK = (1 << TAG_BITS) - 1;
const REPEATED = 0x80000000;
const NUMBER_MASK = 0x7fffffff;

/**
 * Finds far matches: 24-byte grams of the whole base at evenly spaced positions. One that occurs twice is known to. A
 * table's entry is a gram's number + 1, a tag of its hash, and whether another has both slot and tag.
 */
export class Far {
  readonly table: Uint32Array;
  readonly #shift: number;
  readonly #spacing: number;
  /** What the last `find` found: whether it is one of several. */
  isRepeated = false;

  /** `room`: memory that may be used. */
  constructor(base: DataView, room: Uint32Array) {
    const length = base.byteLength;
    let spacing = SPACING;
    while (Math.floor(length / spacing) > GRAMS_MAX) spacing *= 2;
    const count = Math.floor(Math.max(length + spacing - FAR_GRAM, 0) / spacing);
    const bits = Math.max(33 - Math.clz32(count), 6);
    this.#shift = 32 - bits;
    this.#spacing = spacing;
    this.table = room.length < 1 << bits ? new Uint32Array(1 << bits) : room.fill(0, 0, 1 << bits);
    for (let number = 0; number < count; number++) this.#note(base, number);
  }

  #note(base: DataView, number: number): void {
    const { table } = this;
    const hash = hashFar(base, number * this.#spacing);
    const slot = hash >>> this.#shift;
    const tag = (hash ^ (hash >>> 7)) & TAG_MASK;
    const entry = table[slot]!;
    if (entry === 0) table[slot] = ((number + 1) << TAG_BITS) | tag;
    else if ((entry & TAG_MASK) === tag) table[slot] = (entry | REPEATED) >>> 0;
  }

  /** Where in the base the table has the gram at `at`: perhaps another gram; -1 where it has none. */
  find(view: DataView, at: number): number {
    const hash = hashFar(view, at);
    const entry = this.table[hash >>> this.#shift]!;
    if (entry === 0 || (entry & TAG_MASK) !== ((hash ^ (hash >>> 7)) & TAG_MASK)) return -1;
    this.isRepeated = entry >= REPEATED;
    return (((entry & NUMBER_MASK) >>> TAG_BITS) - 1) * this.#spacing;
  }
}

export const FAR_GRAM = 24;

function hashFar(view: DataView, at: number): number {
  let hash = Math.imul(view.getInt32(at, true), 0x9e3779b1) + Math.imul(view.getInt32(at + 4, true), 0x85ebca77);
  hash |= 0;
  hash = (hash + Math.imul(view.getInt32(at + 8, true), 0xc2b2ae3d)) | 0;
  hash = (hash + Math.imul(view.getInt32(at + 12, true), 0x27d4eb2f)) | 0;
  hash = (hash + Math.imul(view.getInt32(at + 16, true), 0x165667b1)) | 0;
  hash = (hash + Math.imul(view.getInt32(at + 20, true), 0xd3a2646d)) | 0;
  return Math.imul(hash ^ (hash >>> 15), 0x9e3779b1);
}
