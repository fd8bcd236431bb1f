import { HoldfastError } from '../errors.ts';
import { DEPTH_LIMIT } from '../codec/format.ts';
import { describe } from '../options.ts';

type Container = Record<string, unknown> | unknown[];

const INDEX = /^(?:0|[1-9][0-9]*)$/;
/** What a copied container counts, about its room in memory, and what any other part does, beside its text. */
const CONTAINER_BYTES = 32;
const PART_BYTES = 4;

/** What a JSON Patch (RFC 6902) makes of `base`, which stays as it is: what changes is copied on the way to it. */
export function patched(base: unknown, patch: unknown, limitBytes: number): unknown {
  if (!Array.isArray(patch)) throw invalid('the patch must be an array of operations', patch);
  const patching = new Patching(base, limitBytes);
  patch.forEach((operation: unknown, index) => patching.run(operation, index));
  return patching.root;
}

const invalid = (what: string, value: unknown): HoldfastError =>
  new HoldfastError('ERR_INVALID', `graph.fromJsonPatch: ${what} (RFC 6902), not ${describe(value)}`);

class Patching {
  root: unknown;
  /** Containers that are copies already. */
  private readonly own = new Set<object>();
  private room: number;
  private index = 0;

  constructor(base: unknown, limitBytes: number) {
    this.root = base;
    this.room = limitBytes;
  }

  run(operation: unknown, index: number): void {
    this.index = index;
    if (typeof operation !== 'object' || operation === null)
      throw invalid(`operation ${index} must be an object`, operation);
    const { op, path, from, value } = operation as Readonly<Record<string, unknown>>;
    const to = this.steps(path, 'path');
    if (['add', 'replace', 'test'].includes(op as string) && !Object.hasOwn(operation, 'value'))
      throw invalid(`operation ${index} must have a value`, undefined);
    switch (op) {
      case 'add':
        return this.put(to, this.copy(value, 0), true);
      case 'replace':
        this.find(to);
        return this.put(to, this.copy(value, 0), false);
      case 'remove':
        return this.remove(to);
      case 'test':
        return isEqual(this.find(to), value, 0) ? undefined : this.unfit(to, 'is not what the patch tests for');
      case 'copy':
        return this.put(to, this.copy(this.find(this.steps(from, 'from')), 0), true);
      case 'move': {
        const source = this.steps(from, 'from');
        if (source.length < to.length && source.every((step, at) => step === to[at]))
          throw invalid(`operation ${index} must not move a value into itself`, from);
        const moved = this.find(source);
        if (source.length === to.length && source.every((step, at) => step === to[at])) return;
        this.remove(source);
        return this.put(to, moved, true);
      }
      default:
        throw invalid(`operation ${index} must be one of add, remove, replace, move, copy, test`, op);
    }
  }

  private steps(text: unknown, name: string): readonly string[] {
    if (typeof text !== 'string' || (text !== '' && !text.startsWith('/')) || /~(?![01])/.test(text))
      throw invalid(`operation ${this.index} must have a JSON pointer as ${name}`, text);
    return text
      .split('/')
      .slice(1)
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  }

  private unfit(steps: readonly string[], what: string): never {
    throw new HoldfastError(
      'ERR_CONFLICT',
      `graph.fromJsonPatch: operation ${this.index} does not fit the base: ${JSON.stringify(`/${steps.join('/')}`)} ${what}`,
      { paths: [steps] },
    );
  }

  /** Only what is there of its own, in plain objects and arrays. */
  private find(steps: readonly string[]): unknown {
    let value = this.root;
    steps.forEach((step, at) => {
      if (!isContainer(value) || !hasStep(value, step)) this.unfit(steps.slice(0, at + 1), 'is not there');
      value = (value as Record<string, unknown>)[step];
    });
    return value;
  }

  /** The container at `steps`, as a copy that may be changed, in copies of all that it is in. */
  private open(steps: readonly string[]): Container {
    this.find(steps);
    this.root = this.owned(this.root, steps);
    let value = this.root as Container;
    for (const step of steps) {
      const inner = this.owned((value as Record<string, unknown>)[step], steps);
      define(value, step, inner);
      value = inner;
    }
    return value;
  }

  private owned(value: unknown, steps: readonly string[]): Container {
    if (!isContainer(value)) return this.unfit(steps, 'is no object or array');
    if (this.own.has(value)) return value;
    const copy = Array.isArray(value)
      ? value.slice()
      : Object.getPrototypeOf(value) === null
        ? (Object.assign(Object.create(null) as object, value) as Record<string, unknown>)
        : { ...value };
    this.own.add(copy);
    return copy;
  }

  private put(steps: readonly string[], value: unknown, isNew: boolean): void {
    const last = steps.at(-1);
    if (last === undefined) return void (this.root = value);
    const holder = this.open(steps.slice(0, -1));
    if (!Array.isArray(holder) || !isNew) return define(holder, last, value);
    const at = last === '-' ? holder.length : Number(last);
    if ((last !== '-' && !INDEX.test(last)) || at > holder.length) this.unfit(steps, 'is no place in the array');
    holder.splice(at, 0, value);
  }

  private remove(steps: readonly string[]): void {
    const last = steps.at(-1);
    this.find(steps);
    if (last === undefined) return void (this.root = null);
    const holder = this.open(steps.slice(0, -1));
    if (Array.isArray(holder)) holder.splice(Number(last), 1);
    else Reflect.deleteProperty(holder, last);
  }

  /** No object may come to be in two places, nor much be made of little. */
  private copy(value: unknown, depth: number): unknown {
    this.room -= isContainer(value) ? CONTAINER_BYTES : PART_BYTES + (typeof value === 'string' ? value.length : 0);
    if (this.room < 0 || depth >= DEPTH_LIMIT)
      throw new HoldfastError(
        'ERR_LIMIT',
        `graph.fromJsonPatch: operation ${this.index} makes the value larger than limitBytes, or nests it deeper than ${DEPTH_LIMIT}`,
      );
    if (!isContainer(value)) return value;
    if (Array.isArray(value)) return value.map((one) => this.copy(one, depth + 1));
    const copy = (Object.getPrototypeOf(value) === null ? Object.create(null) : {}) as Record<string, unknown>;
    for (const key of Object.keys(value)) define(copy, key, this.copy(value[key], depth + 1));
    return copy;
  }
}

function isContainer(value: unknown): value is Container {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value) as null);
}

function hasStep(value: Container, step: string): boolean {
  return Array.isArray(value) ? INDEX.test(step) && Number(step) < value.length : Object.hasOwn(value, step);
}

/** Assigning to `__proto__` would set the prototype. */
function define(object: object, key: string, value: unknown): void {
  if (key !== '__proto__') (object as Record<string, unknown>)[key] = value;
  else Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

/** As JSON has it: the order of keys says nothing, nor does the sign of 0. */
function isEqual(a: unknown, b: unknown, depth: number): boolean {
  if (a === b) return true;
  if (!isContainer(a) || !isContainer(b) || depth >= DEPTH_LIMIT || Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every(
      (key) =>
        Object.hasOwn(b, key) &&
        isEqual((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], depth + 1),
    )
  );
}
