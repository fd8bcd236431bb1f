import type { Ids } from '../codec/ids.ts';
import { Token, type Spanning } from '../codec/spanning.ts';
import { align } from './align.ts';
import { matchKeys } from './compare.ts';
import { isSequence, keysOf, kindOf, sizeOf, valueAt, type SequenceKind } from './kinds.ts';
import { same } from './same.ts';

/** Where a part of a spanning tree is; `key` undefined: where none can be put in its place. */
interface Slot {
  readonly holder: object;
  readonly key: unknown;
}

/**
 * Which part of a target comes from which of its base, where both are spanning trees: found as in trees, in which
 * references are all alike.
 */
export class Pairing {
  private readonly base: Spanning;
  private readonly target: Spanning;
  private readonly from = new Map<object, object>();

  constructor(base: Spanning, target: Spanning) {
    this.base = base;
    this.target = target;
    this.pair(base.tree, target.tree, 0);
  }

  private pair(base: unknown, target: unknown, depth: number): void {
    if (typeof base !== 'object' || typeof target !== 'object' || base === null || target === null) return;
    this.from.set(target, base);
    const kind = kindOf(base);
    if (!isSequence(kind) || kindOf(target) !== kind) return;
    const keys = keysOf(kind, base);
    const others = keysOf(kind, target);
    const source = sourceOf(kind, base, target, keys, others, depth + 1);
    for (let at = 0; at < sizeOf(kind, target, others); at += 1) {
      const place = source === undefined ? at : source[at]!;
      if (place < 0) continue;
      if (kind === 'map' || kind === 'set') this.pair(keys![place], others![at], depth + 1);
      this.pair(valueAt(kind, base, keys, place), valueAt(kind, target, others, at), depth + 1);
    }
  }

  /**
   * What the target's objects are to be called, by what they are called now: as those of the base that they come from, all others anew.
   * `taken`: what is not to be given to those, beside the base's; it grows by what is.
   */
  names(taken: Set<number>): Map<number, number> {
    const names = new Map<number, number>();
    const used = new Set<number>();
    for (const isHome of [true, false]) {
      for (const [target, base] of this.from) {
        const [now, before] = [idOf(this.target, target), idOf(this.base, base)];
        if (now === undefined || before === undefined || names.has(now) || used.has(before)) continue;
        if (isHome && (target instanceof Token || base instanceof Token)) continue;
        names.set(now, before);
        used.add(before);
      }
    }
    for (const id of this.base.marks.values()) taken.add(id);
    let next = 0;
    for (const id of this.target.marks.values()) {
      if (names.has(id)) continue;
      while (taken.has(next)) next += 1;
      const name = taken.has(id) ? next : id;
      names.set(id, name);
      taken.add(name);
    }
    return names;
  }

  /**
   * Puts each of the target's objects into that of its places in which there was one most like it, and a reference into the place
   * that it had.
   */
  settle(): void {
    const slots = slotsIn(this.target.tree);
    const tokens = new Map<number, Token[]>();
    const fixed = new Set<number>();
    for (const part of slots.keys()) {
      if (!(part instanceof Token)) continue;
      for (const id of part.ids) fixed.add(id);
      if (part.id >= 0) tokens.set(part.id, [...(tokens.get(part.id) ?? []), part]);
    }
    for (const [home, id] of this.target.marks) {
      // What instances refer to is to be defined before them.
      if (home instanceof Token || fixed.has(id)) continue;
      let best: Token | undefined;
      let most = -1;
      for (const token of tokens.get(id) ?? []) {
        const before = this.from.get(token);
        if (before === undefined || before instanceof Token) continue;
        if (most < 0) most = this.likeness(home, home, id);
        const likeness = this.likeness(token, home, id);
        if (likeness <= most || !isFree(slots, token, home)) continue;
        best = token;
        most = likeness;
      }
      if (best !== undefined) swap(slots, home, best);
    }
  }

  /** Of what was in a place to what is in it, or is referred to there. */
  private likeness(place: object, home: object, id: number): number {
    const before = this.from.get(place);
    if (before === undefined || before instanceof Token) return 0;
    if (this.base.marks.get(before) === id) return 3;
    if (same(before, home, 0)) return 2;
    return kindOf(before) === kindOf(home) ? 1 : 0;
  }
}

function sourceOf(
  kind: SequenceKind,
  base: object,
  target: object,
  keys: readonly unknown[] | undefined,
  others: readonly unknown[] | undefined,
  depth: number,
): Int32Array | undefined {
  return keys === undefined
    ? align(base as readonly unknown[], target as readonly unknown[], depth).source
    : matchKeys(keys, others!, depth);
}

const idOf = ({ marks }: Spanning, part: object): number | undefined =>
  part instanceof Token && part.id >= 0 ? part.id : marks.get(part);

function slotsIn(tree: unknown): Map<object, Slot | undefined> {
  const slots = new Map<object, Slot | undefined>();
  const pending: [value: unknown, slot: Slot | undefined][] = [[tree, undefined]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [part, slot] = next;
    if (typeof part !== 'object' || part === null) continue;
    slots.set(part, slot);
    const kind = kindOf(part);
    if (!isSequence(kind)) continue;
    const keys = keysOf(kind, part);
    for (let place = sizeOf(kind, part, keys) - 1; place >= 0; place -= 1) {
      const key = keys === undefined ? place : keys[place];
      if (kind === 'map' || kind === 'set') pending.push([key, { holder: part, key: undefined }]);
      pending.push([valueAt(kind, part, keys, place), { holder: part, key }]);
    }
  }
  return slots;
}

/** Whether what is at `home` can be put into the place of `token`: not into itself. */
function isFree(slots: Map<object, Slot | undefined>, token: object, home: object): boolean {
  if (slots.get(home)?.key === undefined || slots.get(token)?.key === undefined) return false;
  for (let at = slots.get(token); at !== undefined; at = slots.get(at.holder)) if (at.holder === home) return false;
  return true;
}

function swap(slots: Map<object, Slot | undefined>, home: object, token: object): void {
  const [one, other] = [slots.get(home)!, slots.get(token)!];
  put(one, token);
  put(other, home);
  slots.set(token, one);
  slots.set(home, other);
}

/** Over what is there: no setter is met, `__proto__` included. */
function put({ holder, key }: Slot, part: object): void {
  if (holder instanceof Map) holder.set(key, part);
  else (holder as Record<string, unknown>)[key as string] = part;
}

/** The same as `names` says, of the value's own objects; `parts` has what each part of its tree is there. */
export function renamed({ marks }: Spanning, names: ReadonlyMap<number, number>, parts: Parts): Ids | undefined {
  const ids: Ids = new Map();
  let isOther = false;
  for (const [part, id] of marks) {
    const name = names.get(id)!;
    if (name !== id) isOther = true;
    ids.set(parts.get(part) as object, name);
  }
  return isOther ? ids : undefined;
}

/** What of a value each part of its spanning tree is. */
export type Parts = ReadonlyMap<object, unknown>;

export function partsBeside(tree: unknown, value: unknown): Parts {
  const parts = new Map<object, unknown>();
  const pending: [part: unknown, live: unknown][] = [[tree, value]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [part, live] = next;
    if (typeof part !== 'object' || part === null) continue;
    parts.set(part, live);
    const kind = kindOf(part);
    if (!isSequence(kind)) continue;
    const [keys, others] = [keysOf(kind, part), keysOf(kind, live as object)];
    for (let place = 0; place < sizeOf(kind, part, keys); place += 1) {
      if (kind === 'map' || kind === 'set') pending.push([keys![place], others![place]]);
      pending.push([valueAt(kind, part, keys, place), valueAt(kind, live as object, others, place)]);
    }
  }
  return parts;
}
