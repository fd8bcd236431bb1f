import type { Named } from '../codec/ids.ts';
import type { Codec } from '../codec/codec.ts';
import { isAlsoOutside, isObject, isShared, plainFor, valueIn } from '../tracking/tracker.ts';
import type { FrozenPath } from '../tracking/tracker.ts';
import { specOf } from './definition.ts';
import type { SessionDefinition } from './definition.ts';
import { made } from './made.ts';

/** What the definition gives an attribute that was never written; undefined: nothing. */
export function defaultOf(codec: Codec, definition: SessionDefinition<object, object>, name: string): unknown {
  const { initial, frozen } = specOf(definition, name) ?? {};
  return initial === undefined ? undefined : apart(made(codec, name, 'default', initial), codec, name, frozen);
}

interface Decoded {
  readonly value: unknown;
  /** It is what the bytes say. */
  readonly asStored: boolean;
}

/** The value that bytes of version `from` of the attribute's schema have in the definition's. */
export function decoded(
  codec: Codec,
  definition: SessionDefinition<object, object>,
  name: string,
  bytes: Uint8Array,
  from: number,
  named: Named = { ids: undefined },
): Decoded {
  const value = codec.decode(bytes, name, named);
  const { migrate, version = 0, frozen } = specOf(definition, name) ?? {};
  // Saved before the portion was declared, an object of it may be elsewhere as well.
  if (migrate === undefined || from >= version)
    return { value, asStored: named.ids === undefined || !parted(value, codec, name, frozen) };
  const migrated = made(codec, name, `\`migrate\` (from version ${from} to ${version})`, () => migrate(value, from));
  return { value: apart(migrated, codec, name, frozen), asStored: false };
}

/** A value that was just made. */
function apart(value: unknown, codec: Codec, name: string, frozen: readonly FrozenPath[] | undefined): unknown {
  if (frozen !== undefined && isShared(value)) parted(value, codec, name, frozen);
  return value;
}

/** Puts copies in the place of frozen portions of which an object is elsewhere as well. False: there is none. */
function parted(value: unknown, { types }: Codec, name: string, frozen: readonly FrozenPath[] = []): boolean {
  let found = false;
  for (const path of frozen) {
    const part = valueIn(value, path);
    if (!isObject(part) || !isAlsoOutside(part, value as object)) continue;
    const holder = valueIn(value, path.slice(0, -1)) as Record<string, unknown>;
    holder[path.at(-1)!] = plainFor({ name, types }, part);
    found = true;
  }
  return found;
}

/** Whether a value of that version of its schema is newer than the definition. */
export function isNewer(definition: SessionDefinition<object, object>, name: string, version: number): boolean {
  return version > (specOf(definition, name) ?? { version: Infinity }).version;
}
