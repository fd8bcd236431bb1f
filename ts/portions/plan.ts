import { Encoder } from '../codec/encoder.ts';
import { EXT_MAP, EXT_NULL_PROTOTYPE, EXT_SET, needsString16 } from '../codec/format.ts';
import type { ValueTypes } from '../codec/value-types.ts';
import { ABSENT, keyIn, valueAt, type ChangeSet, type Notes } from '../tracking/change-set.ts';
import { isObject } from '../tracking/kinds.ts';
import { nodeOfRaw, type Node } from '../tracking/nodes.ts';
import { EncodedKeys } from './encoded-keys.ts';
import { PREFIX_BYTES, countAt, endOf, familyAt, headerBytes, prefixAt, type Family } from './headers.ts';
import { rearrange } from './rearrange.ts';
import { Runs } from './runs.ts';
import { Spans, type Step } from './spans.ts';
import { Unfit } from './unfit.ts';

const runs = new Runs();
const pieces = new Encoder();
const keys = new EncodedKeys();
let running = false;

/** What is to be done with one entry: `inside`, of it; `gone`; else its value is new. */
interface Entry {
  readonly key: unknown;
  readonly inside: Node | undefined;
  readonly gone: boolean;
  slot: number;
}

/** A key that is new, and the slot before which it stands. */
interface Coming {
  readonly key: string;
  readonly slot: number;
}

const NONE: readonly Coming[] = [];
const bySlot = (a: { readonly slot: number }, b: { readonly slot: number }): number => a.slot - b.slot;

/** Where a container lies in the base. */
export interface Place {
  readonly at: number;
  /** Of MessagePack's header, behind a prefix that there may be. */
  readonly header: number;
  readonly family: Family;
  /** Elements, or pairs: of a Map, too. */
  readonly count: number;
  /** Of its entries. */
  readonly first: number;
  /** Of the values inside. */
  readonly depth: number;
}

export interface PlanTerms {
  readonly layout: number;
  /** See `PortionLimits`. */
  readonly keptBytes: number;
  readonly types: ValueTypes;
}

/**
 * From a change set to the target's bytes: goes, in the order of the bytes, from the root down to what was written,
 * encodes that, and keeps the rest of the base as it is. MessagePack's containers carry counts, not lengths, so nothing
 * further out changes but the header of what gained or lost entries.
 */
export class Plan {
  readonly base: Uint8Array;
  readonly runs: Runs = runs;
  readonly layout: number;
  readonly round: number;
  readonly keptBytes: number;
  private readonly types: ValueTypes;
  private visits = 0;

  private constructor(base: Uint8Array, round: number, { layout, keptBytes, types }: PlanTerms) {
    this.types = types;
    this.base = base;
    this.layout = layout;
    this.round = round;
    this.keptBytes = keptBytes;
  }

  /**
   * The target. `root`: of the attribute whose bytes `base` is, but for what `changes` noted. Throws `Unfit`, or the
   * encoder's `Fault`; spans of this layout may then be wrong.
   */
  static target(base: Uint8Array, root: Node, { round, moved, noted }: ChangeSet, terms: PlanTerms): Uint8Array {
    if (running) throw new Unfit('a getter saves another session');
    running = true;
    const plan = new Plan(base, round, terms);
    runs.begin();
    pieces.begin(terms.types, (value) => (nodeOfRaw(value)?.born ?? round) < round);
    try {
      plan.visit(root, 0, 0);
      if (moved !== undefined && plan.visits < noted.length)
        throw new Unfit('a part has moved with what was noted of it');
      return runs.put(base, pieces.written());
    } finally {
      pieces.end();
      runs.end();
      running = false;
    }
  }

  /** By how many bytes the container grows that lies at `at`, so deep. */
  visit(node: Node, at: number, depth: number): number {
    const notes = node.notes!;
    const place = this.placeOf(node, at, depth);
    this.visits += 1;
    node.notes = undefined; // whoever comes by again has been here
    if (place.family === 'map' || !Array.isArray(node.raw)) return this.keyed(node, notes, place);
    if (notes.elements !== undefined) return rearrange(this, node, notes, place);
    return this.listed(node, notes, place);
  }

  private placeOf({ raw }: Node, at: number, depth: number): Place {
    const prefix = prefixAt(this.base, at);
    const wanted = raw instanceof Map ? EXT_MAP : raw instanceof Set ? EXT_SET : undefined;
    const header = prefix === undefined ? at : at + PREFIX_BYTES;
    const family = familyAt(this.base, header);
    const isPlain = wanted === undefined && (prefix === undefined || prefix === EXT_NULL_PROTOTYPE);
    if (!(isPlain || prefix === wanted) || family !== (isPlain && !Array.isArray(raw) ? 'map' : 'array'))
      throw new Unfit('the bytes have another form');
    const count = countAt(this.base, header);
    return {
      at,
      header,
      family,
      count: wanted === EXT_MAP ? count / 2 : count,
      first: header + headerBytes(count),
      depth: depth + (prefix === undefined ? 1 : 2),
    };
  }

  spansOf(node: Node, place: Place, paired: boolean): Spans {
    if (node.spans instanceof Spans && node.spans.layout === this.layout) return node.spans;
    const spans = Spans.of(this.layout, this.base, place, paired);
    node.spans = spans.end > this.keptBytes ? spans : undefined;
    return spans;
  }

  /** The growth of the header where `members` have become others. */
  header({ header, family }: Place, members: number, now: number): number {
    if (members === now) return 0;
    const before = headerBytes(members);
    const bytes = pieces.header(family, now);
    this.runs.edit(header, before, bytes);
    return bytes - before;
  }

  piece(value: unknown, depth: number): number {
    return pieces.piece(value, depth);
  }

  /** Of a plain object, a Map or a Set. */
  private keyed(node: Node, notes: Notes, place: Place): number {
    const { raw } = node;
    const { tail } = notes;
    const entries = this.entries(node, notes);
    const isLonger = tail !== undefined && tail.size > 0;
    if (entries.length === 0 && !isLonger) return 0;
    const spans = this.spansOf(node, place, !(raw instanceof Set));
    let gone = 0;
    for (const entry of entries) {
      if (entry.gone) gone += 1;
      entry.slot = this.slotOf(spans, place, entry.key);
    }
    if (entries.length > 1) entries.sort(bySlot);
    const added: unknown[] = [];
    const coming = isLonger ? this.coming(node, notes, spans, place, added) : NONE;

    const factor = raw instanceof Map ? 2 : 1;
    const now = place.count - gone + coming.length + added.length;
    const head = this.header(place, factor * place.count, factor * now);
    const steps: Step[] = [];
    let growth = head;
    let next = 0;
    for (const { key, slot } of coming) {
      for (; next < entries.length && entries[next]!.slot < slot; next += 1)
        growth += this.entry(node, entries[next]!, spans, place, steps);
      const bytes = this.pair(raw, key, place.depth);
      this.runs.edit(place.at + spans.offsets[slot]!, 0, bytes);
      steps.push({ slot, comes: true, bytes });
      growth += bytes;
    }
    for (; next < entries.length; next += 1) growth += this.entry(node, entries[next]!, spans, place, steps);
    const lengths: number[] = [];
    let more = 0;
    for (const key of added) {
      const bytes = this.pair(raw, key, place.depth);
      lengths.push(bytes);
      more += bytes;
    }
    if (more > 0) this.runs.edit(place.at + spans.end, 0, more);
    if (node.spans === spans) spans.update(head, steps, lengths);
    return growth + more;
  }

  /** What was there and has changed, gone, or is changed inside. */
  private entries(node: Node, { before, tail, inside }: Notes): Entry[] {
    const { raw } = node;
    const entries: Entry[] = [];
    const isSet = raw instanceof Set;
    if (before !== undefined)
      for (const [key, old] of before) {
        if (old === ABSENT) continue;
        if (isObject(key)) throw new Unfit('a key is an object');
        const stays = !isMoved(raw, tail, key) && (isSet ? raw.has(key) : has(raw, key));
        if (stays && (isSet || Object.is(valueAt(raw, key), old))) continue;
        entries.push({ key, inside: undefined, gone: !stays, slot: 0 });
      }
    for (const kid of inside) {
      if (kid.notes?.round !== this.round) continue;
      const key = keyIn(kid, raw);
      if (key === ABSENT) continue; // where it is now is encoded whole
      if (isObject(key)) throw new Unfit('a key is an object'); // there may be another of the same content
      if (before?.has(key) === true && (before.get(key) !== kid.raw || isMoved(raw, tail, key))) continue;
      entries.push({ key, inside: kid, gone: false, slot: 0 });
    }
    return entries;
  }

  /**
   * Keys that are new, with the slot before which each stands: a property that looks like an index comes before all
   * others, in order. Those that come last are `added` instead.
   */
  private coming(node: Node, { before, tail }: Notes, spans: Spans, place: Place, added: unknown[]): readonly Coming[] {
    const coming: Coming[] = [];
    for (const key of tail!) {
      if (typeof key === 'string' && !(node.raw instanceof Map || node.raw instanceof Set)) {
        if (key === '__proto__' || needsString16(key)) throw new Unfit('a key has no place in a map');
        if (isIndex(node.raw, key)) {
          if (before!.get(key) === ABSENT) coming.push({ key, slot: this.indexSlot(spans, place, Number(key)) });
          continue;
        }
      }
      added.push(key);
    }
    return coming.sort((a, b) => a.slot - b.slot || Number(a.key) - Number(b.key));
  }

  /** The first slot whose key is no index, or a larger one. */
  private indexSlot(spans: Spans, { at }: Place, index: number): number {
    let low = 0;
    let high = spans.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      const key = indexAt(this.base, at + spans.offsets[middle]!);
      if (key !== undefined && key < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private slotOf(spans: Spans, { at }: Place, key: unknown): number {
    const slot = spans.find(this.base, at, keys.of(key, this.types));
    if (slot < 0) throw new Unfit('a key is not in the bytes');
    return slot;
  }

  private entry(node: Node, entry: Entry, spans: Spans, place: Place, steps: Step[]): number {
    const { slot } = entry;
    const at = place.at + spans.offsets[slot]!;
    const end = place.at + spans.offsets[slot + 1]!;
    if (entry.gone) {
      this.runs.edit(at, end - at, 0);
      steps.push({ slot, comes: false, bytes: undefined });
      return at - end;
    }
    const bytes = this.value(valueAt(node.raw, entry.key), entry.inside, endOf(this.base, at), end, place.depth);
    if (bytes !== 0) steps.push({ slot, comes: false, bytes });
    return bytes;
  }

  /** By how much the value grows that lies at `at`. */
  private value(value: unknown, inside: Node | undefined, at: number, end: number, depth: number): number {
    if (inside !== undefined) return this.visit(inside, at, depth);
    const bytes = this.piece(value, depth);
    this.runs.edit(at, end - at, bytes);
    return bytes - (end - at);
  }

  private pair(raw: object, key: unknown, depth: number): number {
    const bytes = this.piece(key, depth);
    return raw instanceof Set ? bytes : bytes + this.piece(valueAt(raw, key), depth);
  }

  /** Of an array whose elements are where they were, but for what was appended. */
  private listed(node: Node, notes: Notes, place: Place): number {
    const raw = node.raw as unknown[];
    const changed: { slot: number; inside: Node | undefined }[] = [];
    const { before } = notes;
    if (before !== undefined)
      for (const [slot, old] of before as Map<number, unknown>)
        if (!Object.is(raw[slot], old)) changed.push({ slot, inside: undefined });
    for (const kid of notes.inside) {
      if (kid.notes?.round !== this.round) continue;
      const key = keyIn(kid, raw);
      if (key === ABSENT) continue;
      const slot = Number(key);
      if (slot >= place.count || (before?.has(slot) === true && before.get(slot) !== kid.raw)) continue;
      changed.push({ slot, inside: kid });
    }
    if (changed.length > 1) changed.sort(bySlot);
    if (raw.length < place.count) throw new Unfit('an array has become shorter');
    if (changed.length === 0 && raw.length === place.count) return 0;

    const head = this.header(place, place.count, raw.length);
    const spans = this.spansOf(node, place, false);
    const steps: Step[] = [];
    let growth = head;
    for (const { slot, inside } of changed) {
      const at = place.at + spans.offsets[slot]!;
      const bytes = this.value(raw[slot], inside, at, place.at + spans.offsets[slot + 1]!, place.depth);
      if (bytes !== 0) steps.push({ slot, comes: false, bytes });
      growth += bytes;
    }
    const added: number[] = [];
    let more = 0;
    for (let i = place.count; i < raw.length; i += 1) {
      const bytes = this.piece(raw[i], place.depth);
      added.push(bytes);
      more += bytes;
    }
    if (more > 0) this.runs.edit(place.at + spans.end, 0, more);
    if (node.spans === spans) spans.update(head, steps, added);
    return growth + more;
  }
}

function has(raw: object, key: unknown): boolean {
  return raw instanceof Map ? raw.has(key) : Object.hasOwn(raw, key as string);
}

/** It went, came back, and stands last. */
function isMoved(raw: object, tail: ReadonlySet<unknown> | undefined, key: unknown): boolean {
  return tail?.has(key) === true && !isIndex(raw, key);
}

const LARGEST_INDEX = 2 ** 32 - 2;

/** Whether the engine puts the property in the order of numbers, before all others. */
function isIndex(raw: object, key: unknown): boolean {
  if (typeof key !== 'string' || raw instanceof Map || raw instanceof Set) return false;
  const first = key.charCodeAt(0);
  if (!(first >= 48 && first <= 57)) return false;
  const index = Number(key) >>> 0;
  return String(index) === key && index <= LARGEST_INDEX;
}

/** The encoded key at `at` as such a number; undefined: it is another text. */
function indexAt(bytes: Uint8Array, at: number): number | undefined {
  const length = bytes[at]! - 0xa0;
  if (length < 1 || length > 10) return undefined;
  let index = 0;
  for (let i = 1; i <= length; i += 1) {
    const digit = bytes[at + i]! - 48;
    if (digit < 0 || digit > 9 || (digit === 0 && i === 1 && length > 1)) return undefined;
    index = 10 * index + digit;
  }
  return index <= LARGEST_INDEX ? index : undefined;
}
