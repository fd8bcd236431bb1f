import type { Named } from '../codec/ids.ts';
import type { Codec } from '../codec/codec.ts';
import { isShared, plainFor, valueIn } from '../tracking/tracker.ts';
import type { FrozenPath } from '../tracking/tracker.ts';
import { specOf } from './definition.ts';
import type { SessionDefinition } from './definition.ts';
import { made } from './made.ts';

/** What the definition gives an attribute that was never written; undefined: nothing. */
export function defaultOf(codec: Codec, definition: SessionDefinition<object, object>, name: string): unknown {
  const { initial, frozen } = specOf(definition, name) ?? {};
  return initial === undefined ? undefined : apart(made(codec, name, 'default', initial), codec, name, frozen);
}

/** The value that bytes of version `from` of the attribute's schema have in the definition's. */
export function decoded(
  codec: Codec,
  definition: SessionDefinition<object, object>,
  name: string,
  bytes: Uint8Array,
  from: number,
  named?: Named,
): unknown {
  const value = codec.decode(bytes, name, named);
  const { migrate, version = 0, frozen } = specOf(definition, name) ?? {};
  if (migrate === undefined || from >= version) return value;
  const migrated = made(codec, name, `\`migrate\` (from version ${from} to ${version})`, () => migrate(value, from));
  return apart(migrated, codec, name, frozen);
}

/** Of a value that was just made: no object of a frozen portion stays elsewhere in it as well. */
function apart(value: unknown, { types }: Codec, name: string, frozen: readonly FrozenPath[] = []): unknown {
  if (frozen.length === 0 || !isShared(value)) return value;
  for (const path of frozen) {
    const part = valueIn(value, path);
    const holder = valueIn(value, path.slice(0, -1)) as Record<string, unknown>;
    if (part !== undefined) holder[path.at(-1)!] = plainFor({ name, types }, part);
  }
  return value;
}

/** Whether a value of that version of its schema is newer than the definition. */
export function isNewer(definition: SessionDefinition<object, object>, name: string, version: number): boolean {
  return version > (specOf(definition, name) ?? { version: Infinity }).version;
}
