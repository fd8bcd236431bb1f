import { HoldfastError } from '../errors.ts';
import { findSteps, formatPath, mapValue, type Path, type PathStep } from '../path.ts';
import { EntriesBox, MapBox, NegativeZero, NullPrototypeBox, SparseBox, String16 } from './boxes.ts';
import { DEPTH_LIMIT, needsString16, VIEWS } from './format.ts';

/**
 * What msgpackr is given for `value`: the very same reference where it keeps everything, otherwise a copy of the way
 * down to the boxes. Throws `ERR_INVALID` or `ERR_LIMIT` naming the path inside the attribute `name` for what cannot be
 * kept. msgpackr reads what is not copied once more: a getter must answer alike.
 */
export function prepare(value: unknown, name: string): unknown {
  try {
    return new Walk().value(value, 0);
  } catch (cause) {
    throw refusal(cause, value, name);
  }
}

/**
 * Whatever stopped `prepare`, or msgpackr after it, as the caller is to see it. `root` is the value of the attribute
 * `name`.
 */
export function refusal(cause: unknown, root: unknown, name: string): HoldfastError {
  const fault = Fault.from(cause);
  if (fault.cause instanceof HoldfastError) return fault.cause;
  const path: Path = [name, ...fault.steps.toReversed()];
  if (fault.shared === undefined) {
    return new HoldfastError(fault.code, `${formatPath(path)} ${fault.message}.`, {
      paths: [path],
      cause: fault.cause,
    });
  }
  const first: Path = [name, ...(findSteps(root, fault.shared) ?? [])];
  return new HoldfastError(
    fault.code,
    `${formatPath(path)} is the same object as ${formatPath(first)}: ${fault.message}.`,
    { paths: [path, first] },
  );
}

interface FaultDetails {
  readonly code?: 'ERR_INVALID' | 'ERR_LIMIT';
  readonly cause?: unknown;
  readonly shared?: object;
}

/** On its way up each container adds the step that led to it: the walk itself keeps no path. */
export class Fault extends Error {
  readonly code: 'ERR_INVALID' | 'ERR_LIMIT';
  readonly shared: object | undefined;
  readonly steps: PathStep[] = [];

  constructor(message: string, { code = 'ERR_INVALID', cause, shared }: FaultDetails = {}) {
    super(message, { cause });
    this.code = code;
    this.shared = shared;
  }

  /** A getter or a Proxy threw, a built-in method met an impostor, or the caller's stack was nearly used up. */
  static from(cause: unknown): Fault {
    if (cause instanceof Fault) return cause;
    if (cause instanceof RangeError)
      return new Fault('is nested too deeply for the stack, or too large: keep it flatter or smaller', {
        code: 'ERR_LIMIT',
        cause,
      });
    return new Fault(`could not be read: ${cause instanceof Error ? cause.message : String(cause)}. Store plain data`, {
      cause,
    });
  }

  static at(step: PathStep | undefined, cause: unknown): Fault {
    const fault = Fault.from(cause);
    if (step !== undefined) fault.steps.push(step);
    return fault;
  }
}

function refuse(what: string, remedy: string): never {
  throw new Fault(`is ${what}, which cannot be kept: ${remedy}`);
}

function refuseDepth(): never {
  throw new Fault(`is nested deeper than ${DEPTH_LIMIT}: keep it flatter`, { code: 'ERR_LIMIT' });
}

const hasOwn = Object.prototype.hasOwnProperty;

/** One value's walk. */
class Walk {
  private readonly seen = new Set<object>();
  private objects = 0;

  value(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case 'string':
        return needsString16(value) ? new String16(value) : value;
      case 'number':
        if (value === 0) return 1 / value < 0 ? new NegativeZero() : value;
        // The engine may hold any of NaN's bit patterns.
        return value === value ? value : NaN;
      case 'object':
        return value === null ? value : this.object(value, depth);
      case 'function':
        return refuse('a function', 'keep data only, and attach behaviour outside the session');
      case 'symbol':
        return refuse('a symbol', 'use a string');
      default:
        return value;
    }
  }

  private object(value: object, depth: number): unknown {
    this.seen.add(value);
    if (this.seen.size !== ++this.objects) {
      throw new Fault('a session keeps values, not references. Copy it before storing it twice', { shared: value });
    }
    if (depth >= DEPTH_LIMIT) refuseDepth();
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype) return this.properties(value as Record<string, unknown>, depth + 1);
    if (Array.isArray(value)) return this.array(value, prototype, depth + 1);
    if (LEAVES.has(prototype)) return checkedLeaf(value);
    if (isForeignPlain(prototype)) return this.properties(value as Record<string, unknown>, depth + 1);
    if (depth + 1 >= DEPTH_LIMIT) refuseDepth();
    if (prototype === null) return new NullPrototypeBox(this.properties(value as Record<string, unknown>, depth + 2));
    if (prototype === Map.prototype) return this.map(value as ReadonlyMap<unknown, unknown>, depth + 2);
    if (prototype === Set.prototype) return this.set(value as ReadonlySet<unknown>, depth + 2);
    return refuseInstance(value);
  }

  private properties(value: Record<string, unknown>, depth: number): unknown {
    if (Object.getOwnPropertySymbols(value).length > 0) refuse('an object with a symbol as key', 'use string keys');
    let copy: Record<string, unknown> | undefined;
    let odd = false;
    let key: string | undefined;
    try {
      for (key in value) {
        // In this form the engine makes the check free.
        if (!hasOwn.call(value, key)) continue;
        const child = value[key];
        const prepared = this.value(child, depth);
        if (prepared !== child) (copy ??= { ...value })[key] = prepared;
        if (key === '__proto__' || needsString16(key)) odd = true;
      }
    } catch (cause) {
      throw Fault.at(key, cause);
    }
    return odd ? entries(copy ?? value) : (copy ?? value);
  }

  private array(value: readonly unknown[], prototype: unknown, depth: number): unknown {
    // An instance of a subclass has an ordinary object as prototype; Array.prototype, of any realm, is an array.
    if (prototype !== Array.prototype && !Array.isArray(prototype)) refuseInstance(value);
    const length = value.length;
    for (let i = 0; i < length; i++)
      if (value[i] === undefined && !Object.hasOwn(value, i)) return this.sparse(value, depth);
    let copy: unknown[] | undefined;
    let i = 0;
    try {
      for (; i < length; i++) {
        const child = value[i];
        const prepared = this.value(child, depth);
        if (prepared !== child) (copy ??= [...value])[i] = prepared;
      }
    } catch (cause) {
      throw Fault.at(i, cause);
    }
    return copy ?? value;
  }

  private sparse(value: readonly unknown[], depth: number): SparseBox {
    if (depth >= DEPTH_LIMIT) refuseDepth();
    const flat: unknown[] = [value.length];
    const keys = Object.keys(value);
    for (const key of keys) {
      if (String(Number(key) >>> 0) !== key)
        refuse(`an array with a property ${JSON.stringify(key)}`, 'use an object beside it');
    }
    let index: number | undefined;
    try {
      for (const key of keys) {
        index = Number(key);
        flat.push(index, this.value(value[index], depth + 1));
      }
    } catch (cause) {
      throw Fault.at(index, cause);
    }
    return new SparseBox(flat);
  }

  private map(value: ReadonlyMap<unknown, unknown>, depth: number): MapBox {
    refuseProperties(value);
    const flat: unknown[] = [];
    let step: PathStep | undefined;
    try {
      let index = 0;
      for (const [key, element] of value) {
        step = { kind: 'map key', index };
        flat.push(this.value(key, depth));
        step = mapValue(key, index++);
        flat.push(this.value(element, depth));
      }
    } catch (cause) {
      throw Fault.at(step, cause);
    }
    return new MapBox(flat);
  }

  private set(value: ReadonlySet<unknown>, depth: number): ReadonlySet<unknown> {
    refuseProperties(value);
    const flat: unknown[] = [];
    let changed = false;
    let step: PathStep | undefined;
    try {
      for (const key of value) {
        step = { kind: 'set element', index: flat.length };
        const prepared = this.value(key, depth);
        if (prepared !== key) changed = true;
        flat.push(prepared);
      }
    } catch (cause) {
      throw Fault.at(step, cause);
    }
    return changed ? new Set(flat) : value;
  }
}

function entries(value: Record<string, unknown>): EntriesBox {
  return new EntriesBox(
    Object.keys(value).flatMap((key) => [needsString16(key) ? new String16(key) : key, value[key]]),
  );
}

/** By prototype, so that instances of subclasses are not taken for the class. */
const LEAVES: ReadonlySet<unknown> = new Set<unknown>(
  [Date, Buffer, ArrayBuffer, DataView, ...VIEWS].map((constructor): unknown => constructor.prototype),
);

/** Asks what only the real thing answers; a Proxy or an object that merely has the prototype throws. */
function checkedLeaf(value: object): object {
  if (Object.hasOwn(value, 'constructor')) refuseInstance(value);
  if (ArrayBuffer.isView(value)) void new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  else if (Object.getPrototypeOf(value) === Date.prototype) Date.prototype.getTime.call(value);
  else void (value as ArrayBufferView).byteLength;
  return value;
}

/** Plain objects of another realm (`node:vm`, test runners): their prototype is that realm's Object.prototype. */
function isForeignPlain(prototype: unknown): boolean {
  return (
    typeof prototype === 'object' &&
    prototype !== null &&
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, 'isPrototypeOf')
  );
}

function refuseProperties(value: object): void {
  if (Object.keys(value).length > 0) refuse('a Map or Set with own properties', 'keep them in an attribute beside it');
}

function refuseInstance(value: object): never {
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  const of = typeof name === 'string' && name !== '' ? name : 'an unknown class';
  return refuse(`an instance of ${of}`, 'store a plain object with its data');
}
