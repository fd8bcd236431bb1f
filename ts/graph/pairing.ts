import type { Ids } from '../codec/ids.ts';
import { Token, type Spanning } from '../codec/spanning.ts';
import { align } from './align.ts';
import { matchKeys } from './compare.ts';
import { isSequence, keysOf, kindOf, sizeOf, valueAt } from './kinds.ts';
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
  private readonly to = new Map<object, object>();
  private readonly shownBase: Shown;
  private readonly shownTarget: Shown;

  constructor(base: Spanning, target: Spanning) {
    this.base = base;
    this.target = target;
    this.shownBase = new Shown(base);
    this.shownTarget = new Shown(target);
    this.pair(base.tree, target.tree, 0);
  }

  private pair(base: unknown, target: unknown, depth: number): void {
    if (typeof base !== 'object' || typeof target !== 'object' || base === null || target === null) return;
    this.from.set(target, base);
    this.to.set(base, target);
    const kind = kindOf(base);
    if (!isSequence(kind) || kindOf(target) !== kind) return;
    const keys = keysOf(kind, base);
    const others = keysOf(kind, target);
    const source =
      keys === undefined
        ? align(this.shownBase.of(base as unknown[]), this.shownTarget.of(target as unknown[]), depth + 1).source
        : matchKeys(keys, others!, depth + 1);
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
    const name = (now: number, before: number): void => {
      names.set(now, before);
      used.add(before);
    };
    for (const [part, id] of this.target.marks) {
      const base = this.from.get(part);
      const before = base === undefined || isReference(base) ? undefined : this.base.marks.get(base);
      if (before !== undefined) name(id, before);
    }
    for (const [now, before] of this.movedIds()) if (!names.has(now) && !used.has(before)) name(now, before);
    for (const id of this.base.marks.values()) taken.add(id);
    let next = 0;
    for (const id of this.target.marks.values()) {
      if (names.has(id)) continue;
      while (taken.has(next)) next += 1;
      const free = taken.has(id) ? next : id;
      names.set(id, free);
      taken.add(free);
    }
    return names;
  }

  /** Of objects that are where another or nothing was, those that are as the base's that was in one of their places. */
  private movedIds(): Map<number, number> {
    const [homes, others] = [homesOf(this.target), homesOf(this.base)];
    for (const [id, home] of homes) {
      const base = this.from.get(home);
      if (base !== undefined && !isReference(base)) homes.delete(id);
    }
    const moved = new Map<number, number>();
    for (const [target, base] of this.from) {
      const [now, before] = [idOf(this.target, target), idOf(this.base, base)];
      const home = now === undefined ? undefined : homes.get(now);
      const other = before === undefined ? undefined : others.get(before);
      if (home === undefined || other === undefined) continue;
      homes.delete(now!); // is looked at once
      if (same(other, home, 0)) moved.set(now!, before!);
    }
    return moved;
  }

  /**
   * Puts each of the target's objects into that of its places in which there was one most like it, and a reference into the place
   * that it had.
   */
  settle(): void {
    const { slots, tokens } = placesIn(this.target);
    for (const [home, id] of this.target.marks) {
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

  /**
   * Whether what is at `place` of the base, the object `home` called `id`, is there still: or what is equal to it, and has no
   * number, as it is nowhere else.
   */
  private isKept(place: object, home: object, id: number): boolean {
    const now = this.to.get(place);
    return now !== undefined && (idOf(this.target, now) ?? (same(home, now, 0) ? id : undefined)) === id;
  }

  /** Puts each of the base's objects into a place where it still is in all targets, if there is one; in these too. */
  static anchor(base: Spanning, pairings: readonly Pairing[]): void {
    const { slots, tokens } = placesIn(base);
    const sides = pairings.map(({ target, to }) => ({ to, homes: homesOf(target), places: placesIn(target).slots }));
    for (const [home, id] of base.marks) {
      const isKept = (place: object): boolean => pairings.every((pairing) => pairing.isKept(place, home, id));
      const better = isKept(home) ? undefined : tokens.get(id)?.find((token) => isKept(token));
      if (better === undefined || !isFree(slots, better, home)) continue;
      // Of these, one may be there already, and be nowhere else.
      const moves = sides.flatMap(({ places, homes, to }) => {
        const [token, from] = [to.get(better)!, homes.get(id)];
        return isReference(token) && from !== undefined ? [{ places, token, from }] : [];
      });
      if (!moves.every(({ places, token, from }) => isFree(places, token, from))) continue;
      swap(slots, home, better);
      for (const { places, token, from } of moves) swap(places, from, token);
    }
  }

  /** Calls in the base, too, what the target has begun to share. */
  lend(): void {
    for (const [part, id] of this.target.marks) {
      const base = this.from.get(part);
      if (base === undefined || isReference(base) || this.base.marks.has(base)) continue;
      if (kindOf(base) === kindOf(part)) this.base.marks.set(base, id);
    }
  }

  /**
   * Calls in the target, too, what has a number in the base: a number alone is no change. Of what is one of `shared`, which
   * the base refers to, it may be another object that is there now, if it is not as it was.
   */
  adopt(shared: ReadonlySet<number>): void {
    const used = new Set(this.target.marks.values());
    for (const [home, id] of this.base.marks) {
      const now = this.to.get(home);
      if (now === undefined || isReference(now) || used.has(id) || this.target.marks.has(now)) continue;
      if (kindOf(now) !== kindOf(home) || (shared.has(id) && !this.isKept(home, home, id))) continue;
      this.target.marks.set(now, id);
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

/** Lists with what is referred to in them in place of the reference: once for each object, so that it costs no more than these. */
class Shown {
  private readonly homes: Map<number, object>;

  constructor(spanning: Spanning) {
    this.homes = homesOf(spanning);
  }

  of(list: readonly unknown[]): readonly unknown[] {
    return list.map((part) => {
      const home = part instanceof Token ? this.homes.get(part.id) : undefined;
      if (home !== undefined) this.homes.delete((part as Token).id);
      return home ?? part;
    });
  }
}

const isReference = (part: object): part is Token => part instanceof Token && part.id >= 0;

const idOf = ({ marks }: Spanning, part: object): number | undefined => (isReference(part) ? part.id : marks.get(part));

const homesOf = ({ marks }: Spanning): Map<number, object> => new Map(Array.from(marks, ([home, id]) => [id, home]));

/** Of each part its place, and of each object that may change its place with them the references. */
function placesIn({ tree, marks }: Spanning): {
  readonly slots: Map<object, Slot | undefined>;
  readonly tokens: Map<number, Token[]>;
} {
  const slots = slotsIn(tree);
  const tokens = new Map<number, Token[]>();
  const fixed = new Set<number>();
  for (const part of slots.keys()) {
    if (!(part instanceof Token)) continue;
    // What instances refer to is to be defined before them.
    for (const id of part.ids) fixed.add(id);
    const found = tokens.get(part.id);
    if (found !== undefined) found.push(part);
    else if (part.id >= 0) tokens.set(part.id, [part]);
  }
  for (const [home, id] of marks) if (home instanceof Token || fixed.has(id)) tokens.delete(id);
  return { slots, tokens };
}

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

/**
 * Whether what is at `home` can be put into the place of `token`: not into itself, and nowhere in an element of a Set or a
 * Map's key, which are known by what they hold.
 */
function isFree(slots: Map<object, Slot | undefined>, token: object, home: object): boolean {
  for (let at = slots.get(token); at !== undefined; at = slots.get(at.holder))
    if (at.key === undefined || at.holder === home) return false;
  for (let at = slots.get(home); at !== undefined; at = slots.get(at.holder)) if (at.key === undefined) return false;
  return slots.get(home) !== undefined && slots.get(token) !== undefined;
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
