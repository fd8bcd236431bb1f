import { HoldfastError } from '../errors.ts';
import { BUILT_IN_TYPES } from './built-in-types.ts';
import { Decoder, UNFINISHED } from './decoder.ts';
import { Encoder } from './encoder.ts';
import { refusal } from './fault.ts';
import { EXT_DEFINITION, EXT_REFERENCE } from './format.ts';
import { isLeaf } from './kinds.ts';

/** What containers of spanning trees are called: those that are in several places of the value. */
export type Marks = Map<object, number>;

/**
 * A value in which something is in several places, as a tree that spans it: such an object is in one of them, its home, and
 * in the others stands a token. Instances of classes are tokens too, whatever is in them.
 */
export interface Spanning {
  readonly tree: unknown;
  readonly marks: Marks;
}

/** Stands in a spanning tree for what is elsewhere in it, or for an instance of a class. */
export class Token {
  /** As it is written. */
  readonly bytes: Uint8Array;
  /** Of a reference, what it refers to; -1: an instance. */
  readonly id: number;
  /** Of an instance: what its data refers to, and what that defines. */
  readonly ids: readonly number[];

  constructor(bytes: Uint8Array, id: number, ids: readonly number[] = []) {
    this.bytes = bytes;
    this.id = id;
    this.ids = ids;
  }
}

class SpanningDecoder extends Decoder {
  private marks: Marks = new Map();
  /** Instances whose data is being read. */
  private depth = 0;
  private inside: number[] = [];
  /** Parts of a tree: what they refer to may be elsewhere. */
  private isPart = false;

  span(bytes: Uint8Array, isPart: boolean): Spanning {
    this.isPart = isPart;
    const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { tree: this.decode(source, BUILT_IN_TYPES, undefined), marks: this.marks };
  }

  protected override define(container: object): void {
    if (this.depth === 0 && container !== UNFINISHED) this.marks.set(container, this.id);
    super.define(container);
  }

  protected override definition(id: number, depth: number): unknown {
    if (this.depth > 0) this.inside.push(id);
    const value = super.definition(id, depth);
    if (this.isPart) this.unused.delete(id);
    return value;
  }

  protected override reference(id: number): object {
    if (this.depth > 0) this.inside.push(id);
    if (!this.isPart) super.reference(id);
    else if (this.id >= 0) this.corrupt('a reference has an id');
    const width = id < 0x100 ? 3 : id < 0x10000 ? 4 : 6;
    return new Token(Uint8Array.from(this.bytes.subarray(this.at - width, this.at)), id);
  }

  protected override instance(depth: number): object {
    const { id } = this;
    const start = this.at - 3;
    if (this.bytes[this.at] !== 0x92) this.corrupt('an instance has other parts than a name and its data');
    this.at += 1;
    if (this.depth === 0) this.inside = [];
    this.depth += 1;
    if (id >= 0) this.define(UNFINISHED);
    if (typeof this.value(depth + 1) !== 'string') this.corrupt('the name of a class is not a string');
    this.value(depth + 1);
    this.depth -= 1;
    const token = new Token(Uint8Array.from(this.bytes.subarray(start, this.at)), -1, this.inside);
    if (id < 0) return token;
    this.defined!.set(id, token);
    if (this.depth === 0) this.marks.set(token, id);
    return token;
  }
}

/** Of bytes as a codec writes them: `ERR_CORRUPT` for others. */
export const spanningOf = (bytes: Uint8Array): Spanning => new SpanningDecoder().span(bytes, false);

/** Parts of a spanning tree, as `partsBytes` has written them. */
export const partsOf = (bytes: Uint8Array): Spanning => new SpanningDecoder().span(bytes, true);

class SpanningEncoder extends Encoder {
  private readonly marks: Marks;
  /** By their numbers; undefined: everything is written where it lies. */
  private readonly homes: ReadonlyMap<number, object> | undefined;
  private readonly defined = new Set<number>();

  constructor(marks: Marks, homes: ReadonlyMap<number, object> | undefined) {
    super();
    this.marks = marks;
    this.homes = homes;
  }

  protected override object(value: object, depth: number): void {
    if (value instanceof Token && value.id >= 0) {
      const home = this.homes?.get(value.id);
      return home === undefined ? this.verbatim(value) : this.object(home, depth);
    }
    const id = this.marks.get(value);
    if (id !== undefined && (this.homes === undefined || this.homes.get(id) === value)) {
      if (this.defined.has(id)) return this.mark(EXT_REFERENCE, id);
      this.defined.add(id);
      this.mark(EXT_DEFINITION, id);
    }
    if (value instanceof Token) this.verbatim(value);
    else super.object(value, depth);
  }

  private verbatim({ bytes }: Token): void {
    this.room(bytes.length);
    this.copy(bytes);
  }
}

/**
 * The bytes of the value that is spanned so, each object defined where it is met first. `ERR_CORRUPT` where two have
 * one number. That whatever is referred to is there shows when they are read.
 */
export function wholeBytes({ tree, marks }: Spanning): Uint8Array {
  const encoder = new SpanningEncoder(marks, homesOf(tree, marks));
  try {
    return new Uint8Array(encoder.encode(tree, BUILT_IN_TYPES));
  } catch (cause) {
    throw refusal(cause, 'value');
  }
}

/** The bytes of parts of a spanning tree, everything where it lies. */
export const partsBytes = (values: readonly unknown[], marks: Marks): Uint8Array =>
  new Uint8Array(new SpanningEncoder(marks, undefined).encode(values, BUILT_IN_TYPES));

/** Where those are that are referred to. */
function homesOf(tree: unknown, marks: Marks): Map<number, object> {
  const homes = new Map<number, object>();
  const wanted = new Set<number>();
  eachIn(tree, (value) => {
    if (value instanceof Token) for (const id of value.id < 0 ? value.ids : [value.id]) wanted.add(id);
    const id = marks.get(value);
    if (id === undefined) return;
    if (homes.has(id))
      throw new HoldfastError('ERR_CORRUPT', `two objects have the number ${id}: get the delta, or the whole, again`);
    homes.set(id, value);
  });
  for (const id of homes.keys()) if (!wanted.has(id)) homes.delete(id);
  return homes;
}

/** All containers and tokens of a spanning tree. */
export function eachIn(tree: unknown, visit: (value: object, holder: object | undefined) => void): void {
  const pending: [value: unknown, holder: object | undefined][] = [[tree, undefined]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [value, holder] = next;
    if (typeof value !== 'object' || value === null || isLeaf(value)) continue;
    visit(value, holder);
    if (value instanceof Map) for (const [key, part] of value) pending.push([key, value], [part, value]);
    else if (value instanceof Set) for (const part of value) pending.push([part, value]);
    else if (!(value instanceof Token)) for (const part of Object.values(value)) pending.push([part, value]);
  }
}
