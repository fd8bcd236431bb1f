import { eachIn, Token, type Marks } from '../codec/spanning.ts';
import { stepsIn } from '../path.ts';
import { changesOf, isNewProperty, type Change } from './changes.ts';
import { compare } from './compare.ts';
import type { Comparison } from './comparison.ts';
import type { Edit } from './edit.ts';
import { isSequence, keysOf, kindOf, sizeOf, valueAt } from './kinds.ts';
import type { Parts } from './pairing.ts';
import { withMarks } from './values.ts';

/** What turns one value into the other, told of the values themselves. */
export function changesIn({ base, target, marks, parts }: Comparison): Change[] {
  const edit = withMarks(marks, () => compare(base, target, 0));
  const changes = changesOf(edit);
  const live = parts();
  if (edit === undefined || marks === undefined || live === undefined) return changes;
  return new References(base, target, edit, marks, live).of(changes);
}

/** Puts what is meant in place of parts of spanning trees. */
class References {
  private readonly parts: Parts;
  private readonly tree: unknown;
  /** By their numbers; without those that instances have for themselves. */
  private readonly homes: ReadonlyMap<number, object>;
  /** Of what has come, or is another than it was. */
  private readonly met = new Set<Token>();

  constructor(base: unknown, tree: unknown, edit: Edit, marks: Marks, parts: Parts) {
    this.tree = tree;
    this.parts = parts;
    this.homes = homesIn(tree, marks);
    const moved = movedIn(edit, homesIn(base, marks), this.homes);
    eachIn(tree, (part) => {
      if (part instanceof Token && moved.has(part.id)) this.met.add(part);
    });
  }

  of(changes: readonly Change[]): Change[] {
    const told = changes.flatMap((change) => this.change(change));
    return this.met.size === 0 ? told : told.concat(this.references());
  }

  private change(change: Change): readonly Change[] {
    switch (change.op) {
      case 'set':
        // In the place of something else: told at last.
        if (this.isReference(change.value) && !isNewProperty(change)) {
          this.met.add(change.value);
          return [];
        }
        return [{ ...change, value: this.brought(change.value) }];
      case 'insert':
        return [{ ...change, values: change.values.map((value) => this.brought(value)) }];
      case 'add': {
        const key = this.brought(change.key);
        return ['value' in change ? { ...change, key, value: this.brought(change.value) } : { ...change, key }];
      }
      case 'delete':
        return [{ ...change, key: this.live(change.key) }];
      default:
        return [change];
    }
  }

  private live(part: unknown): unknown {
    return typeof part === 'object' && part !== null && this.parts.has(part) ? this.parts.get(part) : part;
  }

  private brought(part: unknown): unknown {
    eachIn(part, (inside) => {
      if (this.isReference(inside)) this.met.add(inside);
    });
    return this.live(part);
  }

  private isReference(part: unknown): part is Token {
    return part instanceof Token && this.homes.has(part.id);
  }

  private references(): Change[] {
    const stepsTo = stepsIn(this.tree, (part) => part instanceof Token);
    return Array.from(this.met, (token) => ({
      op: 'reference',
      path: stepsTo(token)!,
      to: stepsTo(this.homes.get(token.id)!)!,
    }));
  }
}

function homesIn(tree: unknown, marks: Marks): Map<number, object> {
  const homes = new Map<number, object>();
  eachIn(tree, (part) => {
    const id = marks.get(part);
    if (id !== undefined) homes.set(id, part);
  });
  return homes;
}

/** Numbers that another object has than what has become of the one that had it. */
function movedIn(edit: Edit, before: ReadonlyMap<number, object>, now: ReadonlyMap<number, object>): Set<number> {
  const from = new Map<object, object>();
  if (edit.kind === 'sequence') pair(edit, edit.base, edit.target, from);
  const moved = new Set<number>();
  for (const [id, home] of now) if (before.has(id) && from.get(home) !== before.get(id)) moved.add(id);
  return moved;
}

/** For each part of `target` what it was in `base`. */
function pair(edit: Edit | undefined, base: unknown, target: unknown, from: Map<object, object>): void {
  if (typeof base !== 'object' || typeof target !== 'object' || base === null || target === null) return;
  if (edit !== undefined && edit.kind !== 'sequence') return;
  from.set(target, base);
  const kind = kindOf(target);
  if (!isSequence(kind)) return;
  const [keys, others] = [keysOf(kind, base), keysOf(kind, target)];
  for (let at = 0; at < sizeOf(kind, target, others); at += 1) {
    const place = edit?.source === undefined ? at : edit.source[at]!;
    if (place < 0) continue;
    if (kind === 'map' || kind === 'set') pair(undefined, keys![place], others![at], from);
    pair(edit?.edits.get(place), valueAt(kind, base, keys, place), valueAt(kind, target, others, at), from);
  }
}
