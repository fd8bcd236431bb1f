/** Longest key that is known, with its header. */
const LONGEST = 16;
const MOST_KEYS = 4_096;
/** Of one object: who has more has keys of its own, as data. */
const MOST_OF_AN_OBJECT = 64;

/** A short ASCII key as it is written, in words of four bytes; and which key came after it the last time. */
export class KnownKey {
  readonly key: string;
  next: KnownKey | undefined;
  /** Before the first key of objects that are found under this one. */
  get inside(): KnownKey {
    return (this.#inside ??= new KnownKey(''));
  }

  #inside: KnownKey | undefined;
  /** Of its bytes, header included. */
  readonly length: number;
  private readonly own: Uint8Array;
  private readonly words: readonly [number, number, number, number];

  constructor(key: string) {
    this.key = key;
    const bytes = Buffer.alloc(LONGEST);
    bytes[0] = 0xa0 | key.length;
    bytes.write(key, 1, 'latin1');
    this.own = bytes;
    this.length = 1 + key.length;
    this.words = [bytes.readInt32LE(0), bytes.readInt32LE(4), bytes.readInt32LE(8), bytes.readInt32LE(12)];
  }

  /** Whether the key's bytes are at `at`. */
  isAt(bytes: Uint8Array, at: number): boolean {
    const { length, own } = this;
    for (let i = 0; i < length; i += 1) if (bytes[at + i] !== own[i]) return false;
    return true;
  }

  /** Up to 16 bytes at `at`, of which those after the key mean nothing; the place behind the key. */
  write(view: DataView, at: number): number {
    const { length, words } = this;
    view.setInt32(at, words[0], true);
    if (length > 4) {
      view.setInt32(at + 4, words[1], true);
      if (length > 8) {
        view.setInt32(at + 8, words[2], true);
        if (length > 12) view.setInt32(at + 12, words[3], true);
      }
    }
    return at + length;
  }
}

const ASCII = /^[\0-\x7f]*$/;

/** The keys of objects that were written lately: objects of one make have the same ones, in the same order. */
export class KnownKeys {
  /** Before the first key of every object. */
  readonly first: KnownKey = new KnownKey('');
  private readonly known = new Map<string, KnownKey>();

  /** `key`, where it may be known; it is the object's `count`th, from 0, and comes after `before`. */
  after(before: KnownKey, key: string, count: number): KnownKey | undefined {
    const { next } = before;
    if (next !== undefined && next.key === key) return next;
    return count < MOST_OF_AN_OBJECT ? this.look(before, key) : undefined;
  }

  private look(before: KnownKey, key: string): KnownKey | undefined {
    let found = this.known.get(key);
    if (found === undefined) {
      if (key.length >= LONGEST || key === '__proto__' || this.known.size >= MOST_KEYS || !ASCII.test(key))
        return undefined;
      this.known.set(key, (found = new KnownKey(key)));
    }
    return (before.next = found);
  }
}
