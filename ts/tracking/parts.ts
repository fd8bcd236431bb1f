import { isObject, kindOf } from './kinds.ts';

/** A longer array may be all but empty. */
const LONG_ARRAY = 10_000_000;

/** What is directly in `value`. */
export function addParts(value: object, parts: object[]): void {
  const add = (part: unknown): void => void (isObject(part) && parts.push(part));
  const kind = kindOf(value);
  if (kind === 'opaque') return;
  if (Array.isArray(value) && value.length < LONG_ARRAY) for (let i = 0; i < value.length; i += 1) add(value[i]);
  else if (kind === 'map') for (const entry of value as Map<unknown, unknown>) entry.forEach(add);
  else if (kind === 'set') for (const member of value as Set<unknown>) add(member);
  else for (const key of Object.keys(value)) add(Object.getOwnPropertyDescriptor(value, key)?.value);
}
