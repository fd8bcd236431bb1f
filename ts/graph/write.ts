import { compare } from './compare.ts';
import type { Edit, SequenceEdit, TextEdit } from './edit.ts';
import {
  OTHER_NAMED,
  OTHER_ORDER,
  OTHER_TAKEN,
  PLACE_AS_IS,
  PLACE_COPY,
  PLACE_EDIT,
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
import { bytesOf, checkDepth, isSequence, keysOf, kindOf, sizeOf, valueAt } from './kinds.ts';
import { kindNumber } from './classes.ts';
import { WrittenOrder } from './order.ts';
import { Seen } from './seal.ts';
import { isRenamed, markOf } from './values.ts';
import { Writer } from './writer.ts';

/** Below so many moved places, moves are written one by one. */
const FEW_MOVES = 4;
/** About what a move takes. */
const MOVE_BYTES = 5;

/** Work of telling new values by one model, in its parts and characters: what is new beyond that is written whole. */
const MOST_LIKENESS: number = 2 ** 18;

/** Edits as bytes, with the values that they set and insert in the order in which a reader needs them. */
export class EditWriter {
  readonly bytes: Writer = new Writer();
  readonly values: unknown[] = [];
  readonly seen: Seen = new Seen();
  private ends = 0;

  /** Of an edit that is no `set`: those are the container's. */
  edit(edit: Edit, base: unknown): void {
    if (edit.kind === 'sequence') this.sequence(edit);
    else if (edit.kind === 'text') this.text(edit, base as string);
    else if (edit.kind === 'bytes') {
      this.seen.number(bytesOf(base as object).length);
      this.bytes.number(edit.delta.length);
      this.bytes.raw(edit.delta);
    }
  }

  private text({ start, baseEnd, inserted, delta }: TextEdit, base: string): void {
    this.seen.text(base, start, baseEnd);
    this.bytes.number(2 * start + (delta === undefined ? 0 : TEXT_DELTA));
    this.bytes.number(baseEnd - start);
    if (delta === undefined) return void this.values.push(inserted);
    this.bytes.number(delta.length);
    this.bytes.raw(delta);
  }

  private sequence(edit: SequenceEdit): void {
    const size = sizeOf(edit.of, edit.base, edit.baseKeys);
    this.seen.number(kindNumber(kindOf(edit.base)));
    this.seen.number(size);
    if (isRenamed(edit.base, edit.target)) {
      this.step(OTHER_NAMED, STEP_OTHER);
      this.bytes.number(1 + (markOf(edit.target) ?? -1));
    }
    new Steps(this, edit, size).write();
  }

  step(gap: number, type: number): void {
    for (; this.ends > 0; this.ends -= 1) this.bytes.byte(STEP_OTHER);
    this.bytes.number(gap * (1 << STEP_BITS) + type);
  }

  /** The end of a sequence is written when more follows. */
  end(): void {
    this.ends += 1;
  }
}

class Steps {
  private readonly writer: EditWriter;
  private readonly edit: SequenceEdit;
  private readonly size: number;
  private gap = 0;

  constructor(writer: EditWriter, edit: SequenceEdit, size: number) {
    this.writer = writer;
    this.edit = edit;
    this.size = size;
  }

  write(): void {
    const { source, stays, edits } = this.edit;
    if (source === undefined) this.inPlace(edits);
    else if (stays === undefined) this.put(source, stays, undefined);
    else return this.rearranged(source, stays);
    this.writer.end();
  }

  /** Where all places stay. */
  private inPlace(edits: ReadonlyMap<number, Edit>): void {
    let next = 0;
    for (const place of edits.keys()) {
      this.gap = place - next;
      this.changed(place);
      next = place + 1;
    }
  }

  /** Move by move, or as an order of all, whichever is shorter. */
  private rearranged(source: Int32Array, stays: Uint8Array): void {
    const taken = movedOf(source, stays);
    if (taken.length >= FEW_MOVES) {
      const kept = source.filter((place) => place >= 0).sort();
      const order = new WrittenOrder(orderOf(source, kept, this.size));
      if (order.length < MOVE_BYTES * taken.length) {
        const all = new Int32Array(source.length).fill(-1);
        all.set(kept);
        this.put(all, undefined, insertedOf(source));
        this.writer.step(OTHER_ORDER, STEP_OTHER);
        return order.put(this.writer.bytes);
      }
    }
    const { bytes } = this.writer;
    this.writer.step(OTHER_TAKEN, STEP_OTHER);
    bytes.number(taken.length);
    let next = 0;
    for (const place of taken) {
      bytes.number(place - next);
      next = place + 1;
    }
    this.put(source, stays, undefined, taken);
    this.writer.end();
  }

  /** `inserted`: places in the target of what is new, where `source` is not in its order. */
  private put(
    source: Int32Array,
    stays: Uint8Array | undefined,
    inserted: readonly number[] | undefined,
    taken: Int32Array = new Int32Array(0),
  ): void {
    const ordinals = new Map(Array.from(taken, (place, ordinal): [number, number] => [place, ordinal]));
    let cursor = 0;
    let added = 0;
    const drop = (end: number): void => {
      if (cursor >= end) return;
      const gone: number[] = [];
      for (; cursor < end; cursor += 1) if (!ordinals.has(cursor)) gone.push(cursor);
      if (gone.length > 0) this.deleted(gone);
    };
    for (let j = 0; j < source.length; j += 1) {
      const place = source[j]!;
      if (place < 0) {
        let end = j + 1;
        while (end < source.length && source[end]! < 0) end += 1;
        this.inserted(
          Array.from({ length: end - j }, (_, n) => inserted?.[added + n] ?? j + n),
          cursor,
        );
        added += end - j;
        j = end - 1;
      } else if (stays !== undefined && stays[place] === 0) this.placed(place, ordinals.get(place)!);
      else {
        drop(place);
        cursor = place + 1;
        if (this.edit.edits.has(place)) this.changed(place);
        else this.gap += 1;
      }
    }
    drop(this.size);
  }

  private step(type: number): void {
    this.writer.step(this.gap, type);
    this.gap = 0;
  }

  private seePlace(place: number): unknown {
    const { of, base, baseKeys } = this.edit;
    const value = valueAt(of, base, baseKeys, place);
    this.writer.seen.place(baseKeys?.[place], value);
    return value;
  }

  private changed(place: number): void {
    const edit = this.edit.edits.get(place)!;
    this.step(edit.kind === 'set' ? STEP_SET : STEP_EDIT);
    this.change(edit, place);
  }

  private change(edit: Edit, place: number): void {
    const value = this.seePlace(place);
    if (edit.kind === 'set') this.writer.values.push(edit.value);
    else this.writer.edit(edit, value);
  }

  private placed(place: number, ordinal: number): void {
    const edit = this.edit.edits.get(place);
    const mode = edit === undefined ? PLACE_AS_IS : edit.kind === 'set' ? PLACE_SET : PLACE_EDIT;
    this.step(STEP_PLACE);
    this.writer.bytes.number(ordinal * PLACE_MODES + mode);
    if (edit !== undefined) this.change(edit, place);
  }

  private deleted(places: readonly number[]): void {
    this.step(places.length === 1 ? STEP_DELETE : STEP_DELETE_RUN);
    if (places.length > 1) this.writer.bytes.number(places.length - 2);
    for (const place of places) this.seePlace(place);
  }

  /** Of what is new, objects are told by what makes them of the one before them, if that has the same keys. */
  private inserted(places: readonly number[], cursor: number): void {
    const { of, target, targetKeys } = this.edit;
    let run: number[] = [];
    const like = cursor > 0 ? cursor - 1 : 0;
    const model = of === 'set' || this.size === 0 ? undefined : this.valueAt(like);
    let left: number | undefined;
    for (const place of places) {
      if (model === undefined || left === 0 || !haveSameKeys(model, valueAt(of, target, targetKeys, place))) {
        run.push(place);
        continue;
      }
      left ??= Math.max(1, Math.floor(MOST_LIKENESS / weightOf(model, 0)));
      left -= 1;
      this.insertedRun(run);
      run = [];
      this.like(place, like, cursor);
    }
    this.insertedRun(run);
  }

  private valueAt(place: number): unknown {
    return valueAt(this.edit.of, this.edit.base, this.edit.baseKeys, place);
  }

  private like(place: number, like: number, cursor: number): void {
    const { of, target, targetKeys } = this.edit;
    const edit = compare(this.valueAt(like), valueAt(of, target, targetKeys, place), 0);
    this.step(STEP_PLACE);
    const back = cursor > 0 ? 0 : 1;
    this.writer.bytes.number(back * PLACE_MODES + (edit === undefined ? PLACE_COPY : PLACE_LIKE));
    if (targetKeys !== undefined) this.writer.values.push(targetKeys[place]);
    if (edit !== undefined) this.writer.edit(edit, this.valueAt(like));
  }

  private insertedRun(places: readonly number[]): void {
    const { of, target, targetKeys } = this.edit;
    if (places.length === 0) return;
    this.step(places.length === 1 ? STEP_INSERT : STEP_INSERT_RUN);
    if (places.length > 1) this.writer.bytes.number(places.length - 2);
    for (const place of places) {
      if (targetKeys !== undefined) this.writer.values.push(targetKeys[place]);
      if (of !== 'set') this.writer.values.push(valueAt(of, target, targetKeys, place));
    }
  }
}

/** Plain objects only. */
function haveSameKeys(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.prototype || Object.getPrototypeOf(b) !== Object.prototype) return false;
  const keys = Object.keys(a);
  const others = Object.keys(b);
  return keys.length === others.length && keys.every((key, i) => key === others[i]);
}

/** Parts and characters, and bytes of bytes: about what comparing takes. */
function weightOf(value: unknown, depth: number): number {
  checkDepth(depth);
  const kind = kindOf(value);
  if (kind === 'text') return 1 + (value as string).length;
  if (kind === 'bytes') return 1 + bytesOf(value as object).length;
  if (!isSequence(kind)) return 1;
  const keys = keysOf(kind, value as object);
  const size = sizeOf(kind, value as object, keys);
  let weight = 1;
  for (let i = 0; i < size; i += 1) {
    if (keys !== undefined) weight += weightOf(keys[i], depth + 1);
    if (kind !== 'set') weight += weightOf(valueAt(kind, value as object, keys, i), depth + 1);
  }
  return weight;
}

function movedOf(source: Int32Array, stays: Uint8Array): Int32Array {
  return source.filter((place) => place >= 0 && stays[place] === 0).sort();
}

function insertedOf(source: Int32Array): readonly number[] {
  const inserted: number[] = [];
  for (let j = 0; j < source.length; j += 1) if (source[j]! < 0) inserted.push(j);
  return inserted;
}

/** For each place of the target, where it is once what stays is in the base's order and what is new behind it. */
function orderOf(source: Int32Array, kept: Int32Array, size: number): Int32Array {
  const ranks = new Int32Array(size);
  for (let rank = 0; rank < kept.length; rank += 1) ranks[kept[rank]!] = rank;
  let next = kept.length;
  return source.map((place) => (place < 0 ? next++ : ranks[place]!));
}
