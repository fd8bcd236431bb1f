import { types } from 'node:util';
import type { Attribute } from './attribute.ts';
import { Node, nodeOfRaw, setNode } from './nodes.ts';
import { copyOpaque } from './plain.ts';

type Setter = (this: Date, ...args: unknown[]) => unknown;

/**
 * What is handed out of an attribute that is read-only, in place of Dates, bytes and instances, which cannot be frozen:
 * copies. The setters of a Date's throw. What is done to bytes is seen when they are compared, at the next save; what is
 * done to an instance's copy is lost.
 */
export class Lent {
  readonly #attribute: Attribute;
  /** Each part's copy, the same one at each reading of one use. */
  readonly #copies = new Map<object, object>();

  constructor(attribute: Attribute) {
    this.#attribute = attribute;
  }

  /** The copy that stands for `raw`, which was found in `parent`. */
  copyOf(raw: object, parent: object | undefined): object {
    if (types.isDate(raw)) return this.#date(raw, parent);
    const known = this.#copies.get(raw);
    // Gone: transferred to another thread, say, as its owner may.
    if (known !== undefined && lengthOf(known) === lengthOf(raw)) return known;
    const copy = copyOpaque(raw, this.#attribute.types);
    if (copy === raw) return raw; // an instance of another class, which no save will take
    this.#mark(raw, copy);
    this.#copies.set(raw, copy);
    return copy;
  }

  /** Part of the attribute whose copy was changed since it was handed out. */
  changed(): object | undefined {
    for (const [raw, copy] of this.#copies) {
      if (!isBytes(raw)) continue; // an instance: what is done to a copy of it is lost
      if (lengthOf(copy) !== lengthOf(raw)) this.#copies.delete(raw);
      else if (!bytesOf(copy).equals(bytesOf(raw))) return raw;
    }
    return undefined;
  }

  /** Made once for all uses: to give a Date its setters takes 2 µs, as long as a scope. */
  #date(raw: Date, parent: object | undefined): Date {
    const known = nodeOfRaw(raw)?.proxy as Date | undefined;
    const date =
      known !== undefined && Object.is(known.getTime(), raw.getTime())
        ? known
        : Object.defineProperties(new Date(raw), REFUSING_SETTERS);
    setNode(raw, new Node(raw, this.#attribute, 0, date, parent));
    this.#mark(raw, date);
    return date;
  }

  /** No proxy: once the session has ended, the copy is the application's like any other. */
  #mark(raw: object, copy: object): void {
    setNode(copy, new Node(raw, this.#attribute, 0));
  }
}

const isBytes = (value: object): boolean => ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
const lengthOf = (value: object): number => (value as ArrayBufferView).byteLength;

function bytesOf(value: object): Buffer {
  if (!ArrayBuffer.isView(value)) return Buffer.from(value as ArrayBuffer);
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

const REFUSING_SETTERS: PropertyDescriptorMap = Object.fromEntries(
  Object.getOwnPropertyNames(Date.prototype)
    .filter((name) => name.startsWith('set'))
    .map((name) => [name, { value: refusing(name as keyof Date), writable: false }]),
);

/** Runs the built-in method when it is borrowed for another Date. */
function refusing(name: keyof Date): Setter {
  const native = Date.prototype[name] as Setter;
  const method: Setter = function (...args) {
    const node = types.isDate(this) && Object.hasOwn(this, name) ? nodeOfRaw(this) : undefined;
    node?.attribute.noteWrite(node.raw);
    return Reflect.apply(native, this, args);
  };
  Object.defineProperty(method, 'name', { value: name });
  return method;
}
