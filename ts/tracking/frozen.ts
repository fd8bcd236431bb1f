import { HoldfastError } from '../errors.ts';
import { showPath } from '../path.ts';
import { isEqual } from './assignment.ts';
import type { Host } from './attribute-terms.ts';
import type { Attribute } from './attribute.ts';
import { keyIn } from './change-set.ts';
import { isObject, kindOf, thawed, type Tree } from './kinds.ts';
import { nodeOfRaw, unwrap } from './nodes.ts';
import { plainFor } from './plain.ts';
import { unreadable } from './unreadable.ts';

/** Names of properties, from an attribute's value to a portion of it. */
export type FrozenPath = readonly string[];

const WHY = 'is frozen: it keeps its first value';
const READ_ONLY = `is in a portion that ${WHY}: assign a copy of it to another place`;

/** What a value must go on having, at this place below it. */
interface Kept {
  readonly below: FrozenPath;
  readonly part: unknown;
}

/**
 * The portions of one attribute that keep their first value. Each is shown by an attribute of its own, which is
 * read-only: so nothing is ever noted of it, and Dates and bytes in it are handed out as copies.
 */
export class Frozen {
  readonly #attribute: Attribute;
  readonly #paths: readonly FrozenPath[];
  readonly #deepest: number;
  readonly #parts = new Map<FrozenPath, Attribute>();

  constructor(attribute: Attribute, paths: readonly FrozenPath[]) {
    this.#attribute = attribute;
    this.#paths = paths;
    this.#deepest = Math.max(...paths.map(({ length }) => length));
  }

  /** What shows the value under `key` of `parent`; undefined: it is not frozen. */
  partAt(parent: object, key: unknown): Attribute | undefined {
    if (!this.#paths.some((path) => path.at(-1) === key)) return undefined;
    const steps = this.#stepsTo(parent, key);
    const path = steps && this.#paths.find((one) => one.length === steps.length && isBelow(one, steps));
    return path && this.#part(path);
  }

  #part(path: FrozenPath): Attribute {
    const known = this.#parts.get(path);
    if (known !== undefined) return known;
    const attribute = this.#attribute;
    const holder = (): object | undefined => valueIn(attribute.root, path.slice(0, -1)) as object | undefined;
    const host: Host = {
      isClosed: () => attribute.isClosed(),
      markRead: () => attribute.noteRead(),
      markWritten: () => attribute.noteRead(),
      rootOf: () => valueIn(holder(), path.slice(-1)),
      isFree: () => false,
      replaceRoot: (_, value) => attribute.put(holder(), path.at(-1), value as object),
    };
    const part = attribute.portion(host, { readOnly: READ_ONLY, inside: path });
    this.#parts.set(path, part);
    return part;
  }

  get hasLent(): boolean {
    return [...this.#parts.values()].some((part) => part.hasLent);
  }

  checkLent(): void {
    for (const part of this.#parts.values()) part.checkLent();
  }

  /**
   * What takes its place under `key` of `parent` when `value` is assigned there. Where something frozen is in it, that
   * is a copy with the very portions that are there.
   */
  place(parent: object, key: unknown, value: unknown): unknown {
    const attribute = this.#attribute;
    const steps = this.#stepsTo(parent, key);
    const paths = steps === undefined ? [] : this.#paths.filter((path) => isBelow(path, steps));
    if (paths.length === 0) return isObject(value) ? attribute.place(parent, key, value) : value;
    const old = valueIn(attribute.root, steps!);
    const isFree = attribute.isFree(parent);
    const kept = isFree ? [] : keptOf(old, steps!, paths);
    if (kept.length > 0 && unwrap(value) === old) return old;
    this.#check(steps!, kept, value);
    if (!isObject(value)) return value;
    const own = kept.find(({ below }) => below.length === 0);
    if (own !== undefined) return own.part;
    const isNew = (path: FrozenPath): boolean => isFree || valueIn(old, path.slice(steps!.length)) === undefined;
    return this.#taken(value, [...kept, ...this.#given(value, steps!, paths.filter(isNew))]);
  }

  #check(steps: FrozenPath, kept: readonly Kept[], value: unknown): void {
    try {
      for (const { below, part } of kept)
        if (!isEqual(part, valueIn(value, below), undefined, new Set())) this.#refuse([...steps, ...below]);
    } catch (cause) {
      throw unreadable(cause, this.#attribute.name, value);
    }
  }

  /** Before what is under `key` of `parent` goes. */
  checkRemoval(parent: object, key: unknown): void {
    const steps = this.#attribute.isFree(parent) ? undefined : this.#stepsTo(parent, key);
    if (steps === undefined) return;
    const paths = this.#paths.filter((path) => isBelow(path, steps));
    const [first] = keptOf(valueIn(this.#attribute.root, steps), steps, paths);
    if (first !== undefined) this.#refuse([...steps, ...first.below]);
  }

  /** Portions that are in `value` for the first time: copied one by one, so that no object in them is elsewhere as well. */
  #given(value: object, steps: FrozenPath, paths: readonly FrozenPath[]): Kept[] {
    const attribute = this.#attribute;
    try {
      return keptOf(value, steps, paths)
        .filter(({ below, part }) => below.length > 0 && isObject(part))
        .map(({ below, part }) => ({ below, part: attribute.adoptCopy(plainFor(attribute, part as object)) }));
    } catch (cause) {
      throw unreadable(cause, attribute.name, value);
    }
  }

  /** Not gone through with the rest: the portions that are there are put into it at last. */
  #taken(value: object, kept: readonly Kept[]): unknown {
    const bare = kept.reduce<unknown>((made, { below }) => withPart(made, below, null), unwrap(value));
    const copy = plainFor(this.#attribute, bare) as object;
    const taken = this.#attribute.adoptCopy(copy);
    for (const { below, part } of kept) (valueIn(taken, below.slice(0, -1)) as Tree)[below.at(-1)!] = part;
    return taken;
  }

  /** From the attribute's value on; undefined: not by names alone, or deeper than anything frozen. */
  #stepsTo(parent: object, key: unknown): FrozenPath | undefined {
    const attribute = this.#attribute;
    if (parent === attribute) return [];
    if (typeof key !== 'string') return undefined;
    const steps = [key];
    for (let at = parent; at !== attribute.root;) {
      const node = nodeOfRaw(at);
      const holder = node?.parent;
      const step = node === undefined || !isPlain(holder) ? undefined : keyIn(node, holder);
      if (typeof step !== 'string' || steps.length === this.#deepest) return undefined;
      steps.unshift(step);
      at = holder!;
    }
    return steps;
  }

  #refuse(steps: FrozenPath): never {
    const path = [this.#attribute.name, ...steps];
    throw new HoldfastError('ERR_INVALID', `${showPath(path)} ${WHY}, and cannot be changed, replaced or removed`, {
      paths: [path],
    });
  }
}

const isBelow = (path: FrozenPath, steps: FrozenPath): boolean => steps.every((step, i) => path[i] === step);

/** What is at `steps`, through plain objects alone; undefined: nothing. */
export function valueIn(root: unknown, steps: FrozenPath): unknown {
  let at = unwrap(root);
  for (const step of steps) {
    if (!isPlain(at) || !Object.hasOwn(at, step)) return undefined;
    at = unwrap(at[step]);
  }
  return at;
}

const isPlain = (value: unknown): value is Tree => isObject(value) && kindOf(value) === 'tree' && !Array.isArray(value);

/** Of `old`, which is at `steps`, the portions that are there. */
function keptOf(old: unknown, steps: FrozenPath, paths: readonly FrozenPath[]): Kept[] {
  return paths.flatMap((path) => {
    const below = path.slice(steps.length);
    const part = valueIn(old, below);
    return part === undefined ? [] : [{ below, part }];
  });
}

/** A copy of the plain objects on the way, and `part` at its end. */
function withPart(value: unknown, [step, ...rest]: FrozenPath, part: unknown): unknown {
  const copy = thawed(unwrap(value) as object);
  copy[step!] = rest.length === 0 ? part : withPart(copy[step!], rest, part);
  return copy;
}
