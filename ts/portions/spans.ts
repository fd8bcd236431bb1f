import { endOf } from './headers.ts';

/** Entries are looked through one by one until so many times their number have been seen; then a table is made. */
const LOOKS = 4;

/** One entry that grew, went (`bytes` undefined), or came in before it (`comes`). */
export interface Step {
  readonly slot: number;
  readonly comes: boolean;
  /** By how many it grew, or how many it has. */
  readonly bytes: number | undefined;
}

/**
 * Where the entries of one container lie in the canonical bytes: elements, or keys with their values. Measured from the
 * container's own start: what changes outside leaves them as they are.
 */
export class Spans {
  /** Of the bytes: see `Portions`. */
  readonly layout: number;
  count: number;
  /** Of each entry, and of the end. There may be room behind. */
  offsets: Uint32Array;
  /** Slots by their keys' hash, + 1. */
  private table: Int32Array | undefined;
  private looked = 0;

  constructor(layout: number, offsets: Uint32Array, count: number) {
    this.layout = layout;
    this.offsets = offsets;
    this.count = count;
  }

  /** Of the `count` entries from `at` on, in a container that begins at `start`. */
  static of(
    layout: number,
    bytes: Uint8Array,
    { at: start, first, count }: { readonly at: number; readonly first: number; readonly count: number },
    paired: boolean,
  ): Spans {
    const offsets = new Uint32Array(count + 1);
    let next = first;
    for (let i = 0; i < count; i += 1) {
      offsets[i] = next - start;
      next = endOf(bytes, next);
      if (paired) next = endOf(bytes, next);
    }
    offsets[count] = next - start;
    return new Spans(layout, offsets, count);
  }

  /** From the container's start. */
  get end(): number {
    return this.offsets[this.count]!;
  }

  /** The entry with this encoded key, in a container that begins at `start`; -1: none. */
  find(bytes: Uint8Array, start: number, key: Uint8Array): number {
    if (this.table === undefined && this.looked > LOOKS * this.count) this.table = this.tableOf(bytes, start);
    return this.table === undefined ? this.look(bytes, start, key) : this.lookUp(this.table, bytes, start, key);
  }

  private look(bytes: Uint8Array, start: number, key: Uint8Array): number {
    const { offsets, count } = this;
    const last = key.length - 1;
    for (let slot = 0; slot < count; slot += 1) {
      const at = start + offsets[slot]!;
      // The ends differ sooner than what numbered keys begin with.
      if (bytes[at + last] === key[last] && isAt(bytes, at, key)) {
        this.looked += slot;
        return slot;
      }
    }
    this.looked += count;
    return -1;
  }

  private lookUp(table: Int32Array, bytes: Uint8Array, start: number, key: Uint8Array): number {
    const mask = table.length - 1;
    for (let cell = hashOf(key, 0, key.length) & mask; ; cell = (cell + 1) & mask) {
      const slot = table[cell]! - 1;
      if (slot < 0 || isAt(bytes, start + this.offsets[slot]!, key)) return slot;
    }
  }

  private tableOf(bytes: Uint8Array, start: number): Int32Array {
    const table = new Int32Array(1 << (33 - Math.clz32(this.count + 8)));
    for (let slot = 0; slot < this.count; slot += 1) {
      const at = start + this.offsets[slot]!;
      this.enter(table, hashOf(bytes, at, endOf(bytes, at)), slot);
    }
    return table;
  }

  private enter(table: Int32Array, hash: number, slot: number): void {
    const mask = table.length - 1;
    let cell = hash & mask;
    while (table[cell] !== 0) cell = (cell + 1) & mask;
    table[cell] = slot + 1;
  }

  /**
   * After a save: the header grew by `head`, the entries by `steps` (in order), and entries of so many bytes were
   * `added` at the end.
   */
  update(head: number, steps: readonly Step[], added: readonly number[]): void {
    if (steps.some(({ comes, bytes }) => comes || bytes === undefined)) this.rebuild(head, steps, added);
    else {
      this.shift(head, steps);
      // New keys are not in the table.
      if (added.length > 0) {
        this.table = undefined;
        this.append(added);
      }
    }
  }

  private shift(head: number, steps: readonly Step[]): void {
    const { offsets, count } = this;
    let by = head;
    let slot = head === 0 ? (steps[0]?.slot ?? count) + 1 : 0;
    for (const { slot: changed, bytes } of steps) {
      if (by !== 0) for (; slot <= changed; slot += 1) offsets[slot]! += by;
      slot = changed + 1;
      by += bytes!;
    }
    if (by !== 0) for (; slot <= count; slot += 1) offsets[slot]! += by;
  }

  private append(added: readonly number[]): void {
    const needed = this.count + added.length + 1;
    if (needed > this.offsets.length) {
      const larger = new Uint32Array(needed + (needed >> 3));
      larger.set(this.offsets.subarray(0, this.count + 1));
      this.offsets = larger;
    }
    for (const bytes of added) {
      this.offsets[this.count + 1] = this.offsets[this.count]! + bytes;
      this.count += 1;
    }
  }

  private rebuild(head: number, steps: readonly Step[], added: readonly number[]): void {
    const old = this.offsets;
    const offsets = new Uint32Array(this.count + steps.length + added.length + 1);
    let count = 0;
    let end = old[0]! + head;
    let next = 0;
    for (let slot = 0; slot <= this.count; slot += 1) {
      let length = slot < this.count ? old[slot + 1]! - old[slot]! : 0;
      let stays = slot < this.count;
      for (; steps[next]?.slot === slot; next += 1) {
        const { comes, bytes } = steps[next]!;
        if (comes) {
          offsets[count] = end;
          count += 1;
          end += bytes!;
        } else if (bytes === undefined) stays = false;
        else length += bytes;
      }
      if (!stays) continue;
      offsets[count] = end;
      count += 1;
      end += length;
    }
    offsets[count] = end;
    this.offsets = offsets;
    this.count = count;
    this.table = undefined;
    this.append(added);
  }
}

/** Whether `key` is what begins at `at`: no encoding is the beginning of another. */
function isAt(bytes: Uint8Array, at: number, key: Uint8Array): boolean {
  for (let i = 0; i < key.length; i += 1) if (bytes[at + i] !== key[i]) return false;
  return true;
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let i = start; i < end; i += 1) hash = Math.imul(hash ^ bytes[i]!, 0x9e3779b1);
  return hash ^ (hash >>> 15);
}
