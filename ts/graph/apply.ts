import { HoldfastError } from '../errors.ts';
import { DEPTH_LIMIT } from '../codec/format.ts';
import { kindNumber } from './classes.ts';
import { binaryDiffer } from './engine.ts';
import {
  OTHER_END,
  OTHER_NAMED,
  OTHER_ORDER,
  OTHER_TAKEN,
  PLACE_AS_IS,
  PLACE_COPY,
  PLACE_LIKE,
  PLACE_MODES,
  PLACE_SET,
  STEP_BITS,
  STEP_DELETE,
  STEP_DELETE_RUN,
  STEP_EDIT,
  STEP_INSERT,
  STEP_INSERT_RUN,
  STEP_OTHER,
  STEP_PLACE,
  STEP_SET,
  TEXT_DELTA,
} from './format.ts';
import { bytesOf, isSequence, keysOf, kindOf, sizeOf, type SequenceKind } from './kinds.ts';
import { Built } from './built.ts';
import { takeOrder } from './order.ts';
import type { Reader } from './reader.ts';
import { Seen } from './seal.ts';
import { instanceBytes, isInstance, markOf, setMark, valueCodec } from './values.ts';
import { Token } from '../codec/spanning.ts';

/** What a copied container counts, about its room in memory, and what any other part does at least. */
const CONTAINER_BYTES = 32;
const PART_BYTES = 4;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Makes the target of a base and edits as `EditWriter` writes them; the base stays as it is, whatever happens. */
export class EditReader {
  readonly reader: Reader;
  readonly seen: Seen = new Seen();
  private readonly values: readonly unknown[];
  private next = 0;
  /** Bytes that texts, binary parts and copies may take: a short delta of them can say much. */
  private readonly limitBytes: number;
  taken = 0;
  /** Whether it is about spanning trees. */
  readonly isShared: boolean;

  constructor(reader: Reader, values: readonly unknown[], limitBytes: number, isShared = false) {
    this.isShared = isShared;
    this.reader = reader;
    this.values = values;
    this.limitBytes = limitBytes;
  }

  /** The whole: nothing of the delta may be left. */
  whole(base: unknown): unknown {
    const target = this.edit(base, 0);
    if (this.reader.left > 0 || this.next < this.values.length) this.reader.corrupt('it goes on behind its end');
    return target;
  }

  value(): unknown {
    if (this.next >= this.values.length) this.reader.corrupt('a value is missing');
    return this.values[this.next++];
  }

  edit(base: unknown, depth: number): unknown {
    if (depth >= DEPTH_LIMIT) this.reader.corrupt(`it leads deeper than ${DEPTH_LIMIT}`);
    const kind = kindOf(base);
    if (isSequence(kind)) return this.sequence(kind, base as object, depth);
    if (kind === 'text') return this.text(base as string);
    return kind === 'bytes' ? this.bytes(base as object) : this.reader.corrupt('it changes a part of what has none');
  }

  private take(bytes: number): void {
    this.taken += bytes;
    if (this.taken > this.limitBytes)
      throw new HoldfastError('ERR_LIMIT', 'the target is larger than limitBytes; raise that where you expect as much');
  }

  /** A value of the base once more: no object may be in two places. */
  copy(value: unknown, depth: number): unknown {
    this.take(typeof value === 'string' ? PART_BYTES + value.length : PART_BYTES);
    if (typeof value !== 'object' || value === null) return value;
    this.take(CONTAINER_BYTES);
    if (depth >= DEPTH_LIMIT) this.reader.corrupt(`it leads deeper than ${DEPTH_LIMIT}`);
    const kind = kindOf(value);
    if (!isSequence(kind)) return this.copyLeaf(value);
    const keys = keysOf(kind, value);
    const built = new Built(kind, value, keys, sizeOf(kind, value, keys));
    built.open(0);
    for (let place = 0; place < built.size; place += 1) {
      built.insert(this.copy(built.keyAt(place), depth + 1), this.copy(built.valueAt(place), depth + 1));
    }
    const made = built.finish()!;
    setMark(made, markOf(value));
    return made;
  }

  private copyLeaf(value: object): unknown {
    if (value instanceof Date) return new Date(value);
    if (isInstance(value)) return this.copyInstance(value);
    this.take(bytesOf(value).length);
    return bytesLike(value, Uint8Array.from(bytesOf(value)).buffer) ?? value;
  }

  private copyInstance(value: object): object {
    const bytes = instanceBytes(value);
    this.take(bytes.length);
    if (!(value instanceof Token)) return valueCodec().decode(bytes) as object;
    const made = new Token(value.bytes, value.id, value.ids);
    setMark(made, markOf(value));
    return made;
  }

  /** What the binary differ makes; its errors name the delta inside ours. */
  private patched(base: Uint8Array): Uint8Array {
    const delta = this.reader.raw(this.reader.number());
    const target = binaryDiffer().apply(base, delta, Math.max(this.limitBytes - this.taken, 0));
    this.take(target.length);
    return target;
  }

  private text(base: string): string {
    const { reader } = this;
    const head = reader.number();
    const start = head >>> 1;
    const end = start + reader.number();
    if (end > base.length) reader.corrupt('it changes characters behind the end of a text');
    this.seen.text(base, start, end);
    this.take(base.length);
    const inserted = head % 2 === TEXT_DELTA ? this.decoded(base.slice(start, end)) : this.value();
    if (typeof inserted !== 'string') return reader.corrupt('it puts another value than text into a text');
    return base.slice(0, start) + inserted + base.slice(end);
  }

  private decoded(removed: string): string {
    const bytes = this.patched(Buffer.from(removed));
    try {
      return UTF8.decode(bytes);
    } catch {
      return this.reader.corrupt('a text is not UTF-8');
    }
  }

  private bytes(base: object): object {
    const from = bytesOf(base);
    this.seen.number(from.length);
    // A copy of its own: the differ's may be a part of a pool.
    const memory = Uint8Array.from(this.patched(from)).buffer;
    return bytesLike(base, memory) ?? this.reader.corrupt('a typed array has half an element');
  }

  private sequence(kind: SequenceKind, base: object, depth: number): object {
    const keys = keysOf(kind, base);
    const size = sizeOf(kind, base, keys);
    this.seen.number(kindNumber(kind));
    this.seen.number(size);
    const steps = new Steps(this, new Built(kind, base, keys, size), depth, markOf(base));
    const made = steps.run();
    setMark(made, steps.id);
    return made;
  }
}

/** Memory as the same kind of typed array and the like; undefined where it has half an element. */
function bytesLike(like: object, memory: ArrayBuffer): object | undefined {
  if (like instanceof ArrayBuffer) return memory;
  if (Buffer.isBuffer(like)) return Buffer.from(memory);
  const View = (Object.getPrototypeOf(like) as object).constructor as new (memory: ArrayBuffer) => object;
  const width = (like as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
  return memory.byteLength % width === 0 ? new View(memory) : undefined;
}

/** One sequence's steps. */
class Steps {
  private readonly from: EditReader;
  private readonly reader: Reader;
  private readonly built: Built;
  private readonly depth: number;
  /** The place in the base that comes next. */
  private cursor = 0;
  /** Places that are taken out, in order; each is to be placed once. */
  private taken: readonly number[] = [];
  private isTaken: Set<number> = new Set();
  /** What it is called; undefined: it is in one place. */
  id: number | undefined;
  private isNamed = false;

  constructor(from: EditReader, built: Built, depth: number, id: number | undefined) {
    this.id = id;
    this.from = from;
    this.reader = from.reader;
    this.built = built;
    this.depth = depth;
  }

  run(): object {
    while (this.reader.left > 0) {
      const head = this.reader.number();
      const type = head % (1 << STEP_BITS);
      const gap = (head - type) / (1 << STEP_BITS);
      if (type === STEP_OTHER && gap === OTHER_END) break;
      if (type !== STEP_OTHER) {
        this.keep(gap);
        this.step(type);
      } else if (gap === OTHER_TAKEN) this.takeOut();
      else if (gap === OTHER_ORDER) return this.finish(true);
      else if (gap === OTHER_NAMED) this.name();
      else this.reader.corrupt('a step is unknown');
    }
    return this.finish(false);
  }

  private finish(ordered: boolean): object {
    const { built, reader } = this;
    this.keepRest();
    if (this.isTaken.size > 0) reader.corrupt('what was taken out is not placed');
    if (ordered) built.rearrange(takeOrder(reader, built.length));
    return built.finish() ?? reader.corrupt('a key is there twice, or is none');
  }

  /** Past what was taken out. */
  private skipTaken(): void {
    while (this.taken.length > 0 && this.takenAt(this.cursor)) this.cursor += 1;
  }

  private takenAt(place: number): boolean {
    return this.flags !== undefined && this.flags[place] === 1;
  }

  private flags: Uint8Array | undefined;

  private nextPlace(): number {
    this.skipTaken();
    if (this.cursor >= this.built.size) this.reader.corrupt('it leads behind the end of a sequence');
    return this.cursor++;
  }

  private keep(count: number): void {
    if (count > this.built.size - this.cursor) this.reader.corrupt('it leads behind the end of a sequence');
    if (this.flags === undefined) {
      this.built.keep(this.cursor, this.cursor + count);
      this.cursor += count;
      return;
    }
    for (let left = count; left > 0; left -= 1) {
      const place = this.nextPlace();
      this.built.keep(place, place + 1);
    }
  }

  private keepRest(): void {
    const { built } = this;
    if (this.flags === undefined) return built.keep(this.cursor, built.size);
    for (this.skipTaken(); this.cursor < built.size; this.skipTaken()) {
      built.keep(this.cursor, this.cursor + 1);
      this.cursor += 1;
    }
  }

  private step(type: number): void {
    const { reader } = this;
    switch (type) {
      case STEP_EDIT:
      case STEP_SET:
        return this.change(this.nextPlace(), type === STEP_SET);
      case STEP_DELETE:
        return this.drop(1);
      case STEP_DELETE_RUN:
        return this.drop(reader.number() + 2);
      case STEP_INSERT:
        return this.insert(1);
      case STEP_INSERT_RUN:
        return this.insert(reader.number() + 2);
      case STEP_PLACE:
        return this.place();
      default:
        reader.corrupt('a step is unknown');
    }
  }

  private change(place: number, whole: boolean): void {
    const { built } = this;
    if (!built.hasValues) this.reader.corrupt('it changes an element of a Set');
    const value = built.valueAt(place);
    this.from.seen.place(built.keyAt(place), value);
    built.change(place, whole ? this.from.value() : this.from.edit(value, this.depth + 1));
  }

  private drop(count: number): void {
    if (count > this.built.size - this.cursor) this.reader.corrupt('it deletes behind the end of a sequence');
    this.built.open(this.cursor);
    for (let left = count; left > 0; left -= 1) {
      const place = this.nextPlace();
      this.from.seen.place(this.built.keyAt(place), this.built.valueAt(place));
    }
  }

  private insert(count: number): void {
    const { built, from } = this;
    built.open(this.cursor);
    for (let left = count; left > 0; left -= 1) {
      const key = built.hasKeys ? from.value() : undefined;
      built.insert(key, built.hasValues ? from.value() : undefined);
    }
  }

  private name(): void {
    const { reader, built } = this;
    if (!this.from.isShared || this.isNamed || this.flags !== undefined || built.isOpen || this.cursor > 0)
      reader.corrupt('a sequence is numbered where it cannot be');
    const number = reader.number();
    this.id = number === 0 ? undefined : number - 1;
    this.isNamed = true;
  }

  private takeOut(): void {
    const { reader, built } = this;
    if (this.flags !== undefined || built.isOpen || this.cursor > 0) reader.corrupt('places are taken out too late');
    built.open(0);
    const count = reader.upTo(built.size, 'more is taken out than there is');
    const taken: number[] = [];
    this.flags = new Uint8Array(built.size);
    let next = 0;
    for (let n = 0; n < count; n += 1) {
      const place = next + reader.upTo(built.size - 1 - next, 'it takes out what is not there');
      taken.push(place);
      this.flags[place] = 1;
      next = place + 1;
    }
    this.taken = taken;
    this.isTaken = new Set(taken);
  }

  private place(): void {
    const { reader, built } = this;
    const head = reader.number();
    const mode = head % PLACE_MODES;
    if (mode === PLACE_LIKE || mode === PLACE_COPY) return this.like((head - mode) / PLACE_MODES, mode);
    const place = this.taken[(head - mode) / PLACE_MODES];
    if (place === undefined || !this.isTaken.delete(place)) return reader.corrupt('it places what was not taken out');
    if (mode === PLACE_AS_IS) return built.keep(place, place + 1);
    this.change(place, mode === PLACE_SET);
  }

  /** A new one like the one before it (`ahead` 0), or the one behind. */
  private like(ahead: number, mode: number): void {
    const { built, from, reader } = this;
    const place = this.cursor - 1 + ahead;
    if (ahead > 1 || place < 0 || place >= built.size || !built.hasValues)
      return reader.corrupt('it makes a value like one that is not there');
    built.open(this.cursor);
    const key = built.hasKeys ? from.value() : undefined;
    const model = from.copy(built.valueAt(place), this.depth + 1);
    built.insert(key, mode === PLACE_COPY ? model : from.edit(model, this.depth + 1));
  }
}
