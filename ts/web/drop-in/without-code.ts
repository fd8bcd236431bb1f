import type { Codec } from '../../codec/codec.ts';
import { HoldfastError } from '../../errors.ts';
import { describe } from '../../options.ts';

/**
 * A copy in which what no store can keep is as JSON has it: instances as what their `toJSON` gives, or as plain objects;
 * functions and symbols are gone. What the codec keeps stays what it is.
 */
export function withoutCode(codec: Codec, value: unknown, name: string): unknown {
  const isKept = (one: unknown): boolean => {
    try {
      codec.look(one, name);
      return true;
    } catch {
      return false;
    }
  };
  return copied(value, { name, isKept, above: new Set() });
}

interface Walk {
  readonly name: string;
  readonly isKept: (value: unknown) => boolean;
  /** What the value is in. */
  readonly above: Set<object>;
}

export const isCode = (value: unknown): boolean => typeof value === 'function' || typeof value === 'symbol';

function copied(value: unknown, walk: Walk): unknown {
  if (isCode(value)) return undefined;
  if (typeof value !== 'object' || value === null) return value;
  const { above, name } = walk;
  if (above.has(value)) {
    const message = `attribute '${name}' holds ${describe(value)} that is inside itself, beside what cannot be kept: take one of them out`;
    throw new HoldfastError('ERR_INVALID', message, { paths: [[name]] });
  }
  above.add(value);
  const copy = copiedObject(value, walk);
  above.delete(value);
  return copy;
}

function copiedObject(value: object, walk: Walk): unknown {
  const inside = (one: unknown): unknown => copied(one, walk);
  if (Array.isArray(value)) return value.map((one) => (isCode(one) ? null : inside(one)));
  if (value instanceof Map) return new Map([...value].map(([key, one]) => [inside(key), inside(one)]));
  if (value instanceof Set) return new Set([...value].map(inside));
  const prototype: unknown = Object.getPrototypeOf(value);
  const isInstance = prototype !== Object.prototype && prototype !== null;
  if (isInstance && walk.isKept(value)) return value;
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return inside(toJSON.call(value, walk.name));
  const entries = Object.entries(value).filter(([, one]) => !isCode(one));
  return Object.fromEntries(entries.map(([key, one]) => [key, inside(one)]));
}
