import { Classes } from './classes.ts';
import { kindOf } from './kinds.ts';
import { same } from './same.ts';

/** Work of the exact search for what two lists share, in differences; where there are more, an estimate serves. */
const MOST_DIFFERENCES = 128;
/** Names of what is taken for an object's identity, if it is text or a number. */
const IDENTITIES = ['id', '_id', 'key', 'uuid', 'sku', 'name'] as const;
/** From this length on texts that share half of their characters are taken for two states of one. */
const ALIKE_TEXT = 16;

export interface Alignment {
  readonly source: Int32Array;
  /** Places in the target of what is not known to equal its source, in the order of their sources. */
  readonly changed: readonly number[];
}

/**
 * `source`: for each element of `target` the one of `base` that it is, was, or comes from; -1: it is new. What is equal at both
 * ends is found first, then equal elements in the same order (Myers 1986, bounded), then moved ones, then those
 * with the same identity, and what is alike in the same gap.
 */
export function align(base: readonly unknown[], target: readonly unknown[], depth: number): Alignment {
  const source = new Int32Array(target.length).fill(-1);
  const least = Math.min(base.length, target.length);
  let start = 0;
  while (start < least && same(base[start], target[start], depth)) source[start] = start++;
  let end = 0;
  while (end < least - start && same(base[base.length - 1 - end], target[target.length - 1 - end], depth)) end += 1;
  for (let i = 1; i <= end; i += 1) source[target.length - i] = base.length - i;
  const baseEnd = base.length - end;
  const targetEnd = target.length - end;
  if (start === baseEnd || start === targetEnd) return { source, changed: [] };
  const changed = baseEnd === targetEnd ? changedInPlace(base, target, start, baseEnd, depth) : undefined;
  if (changed === undefined)
    return (
      alignByUniqueIdentity(base, target, start, baseEnd, targetEnd, source) ?? {
        source,
        changed: new Middle(base, target, start, baseEnd, targetEnd, source, depth).align(),
      }
    );
  for (let i = start; i < baseEnd; i += 1) source[i] = i;
  return { source, changed };
}

/** Where few elements have changed and all others are at their places, there is nothing to look for. */
function changedInPlace(
  base: readonly unknown[],
  target: readonly unknown[],
  start: number,
  end: number,
  depth: number,
): number[] | undefined {
  const most = 1 + ((end - start) >> 2);
  const changed: number[] = [];
  for (let i = start; i < end; i += 1) {
    if (same(base[i], target[i], depth)) continue;
    if (changed.length === most || !isPair(base[i], target[i])) return undefined;
    changed.push(i);
  }
  return changed;
}

/** Where each element has an identity of its own, nothing else has to be looked at. */
function alignByUniqueIdentity(
  base: readonly unknown[],
  target: readonly unknown[],
  start: number,
  baseEnd: number,
  targetEnd: number,
  source: Int32Array,
): Alignment | undefined {
  const places = placesById(base, start, baseEnd);
  const others = places === undefined ? undefined : placesById(target, start, targetEnd);
  if (places === undefined || others === undefined) return undefined;
  const changed: number[] = [];
  for (const [id, at] of others) {
    const place = places.get(id);
    if (place === undefined) continue;
    source[at] = place;
    changed.push(at);
  }
  return { source, changed: changed.toSorted((a, b) => source[a]! - source[b]!) };
}

/** Undefined: an element has no identity, or that of another. */
function placesById(
  list: readonly unknown[],
  start: number,
  end: number,
): ReadonlyMap<string | number, number> | undefined {
  const places = new Map<string | number, number>();
  for (let i = start; i < end; i += 1) {
    const id = identityOf(list[i]);
    if (id === undefined || places.has(id)) return undefined;
    places.set(id, i);
  }
  return places;
}

/** Whether two elements at one place are two states of one: of the same identity, or nothing says otherwise. */
function isPair(a: unknown, b: unknown): boolean {
  const one = identityOf(a);
  return one === undefined ? identityOf(b) === undefined && isAlike(a, b) : one === identityOf(b);
}

function identityOf(value: unknown): string | number | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  for (const name of IDENTITIES) {
    if (!Object.hasOwn(value, name)) continue;
    const id = (value as Record<string, unknown>)[name];
    if (typeof id === 'string' || typeof id === 'number') return id;
  }
  return undefined;
}

/** Whether a change of the one is likely to be shorter than the other. */
function isAlike(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null)
    return typeof a === 'string' && typeof b === 'string' && isAlikeText(a, b);
  if (kindOf(a) !== kindOf(b)) return false;
  if (kindOf(a) !== 'object') return true;
  const keys = Object.keys(a);
  const shared = keys.filter((key) => Object.hasOwn(b, key));
  return keys.length === 0 || 2 * shared.length >= keys.length;
}

function isAlikeText(a: string, b: string): boolean {
  const least = Math.min(a.length, b.length);
  if (least < ALIKE_TEXT) return false;
  let common = 0;
  while (common < least && a.charCodeAt(common) === b.charCodeAt(common)) common += 1;
  for (let i = 1; i <= least - common && a.charCodeAt(a.length - i) === b.charCodeAt(b.length - i); i += 1) common += 1;
  return 2 * common >= least;
}

/** What lies between the equal ends of two lists. */
class Middle {
  private readonly base: readonly unknown[];
  private readonly target: readonly unknown[];
  private readonly start: number;
  private readonly source: Int32Array;
  /** Classes of the elements: equal numbers, equal elements. */
  private readonly a: Int32Array;
  private readonly b: Int32Array;
  /** For each element of the base whether it has a place in the target. */
  private readonly used: Uint8Array;
  private readonly changed: number[] = [];

  constructor(
    base: readonly unknown[],
    target: readonly unknown[],
    start: number,
    baseEnd: number,
    targetEnd: number,
    source: Int32Array,
    depth: number,
  ) {
    const classes = new Classes();
    this.base = base;
    this.target = target;
    this.start = start;
    this.source = source;
    this.a = Int32Array.from({ length: baseEnd - start }, (_, i) => classes.of(base[start + i], depth));
    this.b = Int32Array.from({ length: targetEnd - start }, (_, i) => classes.of(target[start + i], depth));
    this.used = new Uint8Array(this.a.length);
  }

  /** As `Alignment.changed`. */
  align(): readonly number[] {
    this.alignExactly();
    this.alignByClass(true);
    this.alignByClass(false);
    this.alignByIdentity();
    this.alignGaps();
    return this.changed.toSorted((a, b) => this.source[a]! - this.source[b]!);
  }

  private link(i: number, j: number): void {
    this.used[i] = 1;
    this.source[this.start + j] = this.start + i;
  }

  private pair(i: number, j: number): void {
    this.link(i, j);
    this.changed.push(this.start + j);
  }

  private isNew(j: number): boolean {
    return this.source[this.start + j] === -1;
  }

  /** The longest common subsequence, if it takes few differences. */
  private alignExactly(): void {
    const { a, b } = this;
    const rows: Int32Array[] = [];
    let reach = new Int32Array(3);
    for (let d = 0; d <= MOST_DIFFERENCES; d += 1) {
      rows.push(reach);
      const next = new Int32Array(2 * d + 5);
      next.set(reach, 1);
      for (let k = -d; k <= d; k += 2) {
        // `reach[k + d + 1]` is how far diagonal k went with one difference less.
        const down = k === -d || (k !== d && reach[k + d]! < reach[k + d + 2]!);
        let x = d === 0 ? 0 : down ? reach[k + d + 2]! : reach[k + d]! + 1;
        while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
        next[k + d + 2] = x;
        if (x >= a.length && x - k >= b.length) return this.linkBack(rows, d, k);
      }
      reach = next;
    }
  }

  /** Goes the way of `alignExactly` back, from the end on diagonal `k` after `d` differences. */
  private linkBack(rows: readonly Int32Array[], differences: number, diagonal: number): void {
    let x = this.a.length;
    let k = diagonal;
    for (let d = differences; d >= 0; d -= 1) {
      const reach = rows[d]!;
      const down = k === -d || (k !== d && reach[k + d]! < reach[k + d + 2]!);
      const begin = d === 0 ? 0 : down ? reach[k + d + 2]! : reach[k + d]! + 1;
      while (x > begin) {
        x -= 1;
        this.link(x, x - k);
      }
      if (d === 0) return;
      x = down ? begin : begin - 1;
      k = down ? k + 1 : k - 1;
    }
  }

  /**
   * Equal elements that are left. `once`: those that are left once in the base; otherwise objects in order of
   * occurrence: to move one of several equal numbers says more than the number.
   */
  private alignByClass(once: boolean): void {
    const free = new Map<number, number[]>();
    for (let i = this.a.length - 1; i >= 0; i -= 1) {
      if (this.used[i] === 1) continue;
      const places = free.get(this.a[i]!);
      if (places === undefined) free.set(this.a[i]!, [i]);
      else places.push(i);
    }
    if (once) for (const [name, places] of free) if (places.length > 1) free.delete(name);
    for (let j = 0; j < this.b.length; j += 1) {
      if (!this.isNew(j) || (!once && isSimple(this.target[this.start + j]))) continue;
      const i = free.get(this.b[j]!)?.pop();
      if (i !== undefined) this.link(i, j);
    }
  }

  private alignByIdentity(): void {
    const free = new Map<string | number, number>();
    for (let i = 0; i < this.a.length; i += 1) {
      const id = this.used[i] === 1 ? undefined : identityOf(this.base[this.start + i]);
      if (id !== undefined && !free.has(id)) free.set(id, i);
    }
    if (free.size === 0) return;
    for (let j = 0; j < this.b.length; j += 1) {
      const id = this.isNew(j) ? identityOf(this.target[this.start + j]) : undefined;
      const i = id === undefined ? undefined : free.get(id);
      if (i === undefined) continue;
      free.delete(id!);
      this.pair(i, j);
    }
  }

  /** Pairs what is new with what is gone at the same place, in order. */
  private alignGaps(): void {
    let i = 0;
    for (let j = 0; j < this.b.length; j += 1) {
      if (!this.isNew(j)) {
        i = Math.max(i, this.source[this.start + j]! - this.start + 1);
        continue;
      }
      if (i >= this.a.length || this.used[i] === 1) continue;
      if (isPairInGap(this.base[this.start + i], this.target[this.start + j])) this.pair(i, j);
      i += 1;
    }
  }
}

const isSimple = (value: unknown): boolean => typeof value !== 'object' || value === null;

/** As `isPair`; what is no container takes the place of another one. */
function isPairInGap(a: unknown, b: unknown): boolean {
  return isSimple(a) && isSimple(b) ? true : isPair(a, b);
}

/**
 * Of the places in the base that `source` names, those that stay: a longest ascending subsequence, as flags by place
 * in the base. Undefined: all of them do.
 */
export function stationary(source: Int32Array, size: number): Uint8Array | undefined {
  if (isAscending(source)) return undefined;
  const tails: number[] = [];
  const before = new Int32Array(source.length);
  for (let j = 0; j < source.length; j += 1) {
    const place = source[j]!;
    if (place < 0) continue;
    let low = 0;
    for (let high = tails.length; low < high;) {
      const half = (low + high) >> 1;
      if (source[tails[half]!]! < place) low = half + 1;
      else high = half;
    }
    before[j] = low === 0 ? -1 : tails[low - 1]!;
    tails[low] = j;
  }
  const stays = new Uint8Array(size);
  for (let j = tails.at(-1) ?? -1; j >= 0; j = before[j]!) stays[source[j]!] = 1;
  return stays;
}

function isAscending(source: Int32Array): boolean {
  let last = -1;
  for (const place of source) {
    if (place < 0) continue;
    if (place < last) return false;
    last = place;
  }
  return true;
}
