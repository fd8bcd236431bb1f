import type { Notes } from '../tracking/change-set.ts';
import { isObject } from '../tracking/kinds.ts';
import { nodeOfRaw, type Node } from '../tracking/nodes.ts';
import type { Place, Plan } from './plan.ts';
import { Spans } from './spans.ts';
import { Unfit } from './unfit.ts';

/**
 * Of an array whose elements were moved, inserted or removed: by how many bytes it grows. Those at both ends that are
 * where they were stay; of the others each object and text is found where it was in the base.
 */
export function rearrange(plan: Plan, node: Node, notes: Notes, place: Place): number {
  return new Rearrangement(plan, node, notes, place).growth();
}

/** Shorter texts are written anew: that takes no more bytes than to say where they are. */
const TEXT_LENGTH = 8;

class Rearrangement {
  readonly #plan: Plan;
  readonly #place: Place;
  readonly #now: readonly unknown[];
  readonly #was: readonly unknown[];
  readonly #spans: Spans;
  readonly #round: number;
  /** Of the target's entries, from the container's start. */
  readonly #offsets: Uint32Array;
  #end: number;

  constructor(plan: Plan, node: Node, notes: Notes, place: Place) {
    this.#plan = plan;
    this.#place = place;
    this.#now = node.raw as unknown[];
    this.#was = notes.elements!;
    this.#round = notes.round;
    this.#spans = plan.spansOf(node, place, false);
    this.#offsets = new Uint32Array(this.#now.length + 1);
    this.#end = this.#spans.offsets[0]!;
    if (this.#was.length !== place.count) throw new Unfit('an array had another length');
    if (hasHoles(this.#now)) throw new Unfit('an array has holes');
    this.#go();
    if (node.spans === this.#spans) node.spans = new Spans(plan.layout, this.#offsets, this.#now.length);
  }

  growth(): number {
    return this.#end - this.#spans.end;
  }

  #go(): void {
    const now = this.#now;
    const was = this.#was;
    const { runs } = this.#plan;
    this.#end += this.#plan.header(this.#place, was.length, now.length);
    runs.keepTo(this.#place.first);
    const least = Math.min(was.length, now.length);
    let first = 0;
    while (first < least && Object.is(was[first], now[first])) first += 1;
    let last = 0;
    while (last < least - first && Object.is(was[was.length - 1 - last], now[now.length - 1 - last])) last += 1;

    for (let i = 0; i < first; i += 1) this.#keep(i, i);
    const places = this.#places(first, was.length - last);
    for (let i = first; i < now.length - last; i += 1) {
      const value = now[i];
      const place = places.get(value);
      if (place === undefined) this.#write(i, value);
      else {
        places.delete(value); // met again, it would be in two places
        this.#keep(i, place);
      }
    }
    for (let i = now.length - last; i < now.length; i += 1) this.#keep(i, i - now.length + was.length);
    runs.moveTo(this.#place.at + this.#spans.end);
    this.#offsets[now.length] = this.#end;
  }

  /** Of the elements in between, where they were. */
  #places(from: number, to: number): Map<unknown, number> {
    const places = new Map<unknown, number>();
    for (let i = from; i < to; i += 1) {
      const value = this.#was[i];
      if (isObject(value) || (typeof value === 'string' && value.length >= TEXT_LENGTH)) places.set(value, i);
    }
    return places;
  }

  #keep(index: number, slot: number): void {
    const { runs } = this.#plan;
    const start = this.#place.at + this.#spans.offsets[slot]!;
    const end = this.#place.at + this.#spans.offsets[slot + 1]!;
    const value = this.#now[index];
    this.#offsets[index] = this.#end;
    runs.moveTo(start);
    const node = isObject(value) ? nodeOfRaw(value) : undefined;
    let growth = 0;
    if (node !== undefined && node.notes?.round === this.#round) {
      node.key = index;
      growth = this.#plan.visit(node, start, this.#place.depth);
    }
    runs.keepTo(end);
    this.#end += end - start + growth;
  }

  #write(index: number, value: unknown): void {
    this.#offsets[index] = this.#end;
    const bytes = this.#plan.piece(value, this.#place.depth);
    this.#plan.runs.add(bytes);
    this.#end += bytes;
  }
}

function hasHoles(array: readonly unknown[]): boolean {
  for (let i = 0; i < array.length; i += 1) if (array[i] === undefined && !Object.hasOwn(array, i)) return true;
  return false;
}
