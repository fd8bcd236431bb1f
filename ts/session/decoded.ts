import type { Named } from '../codec/ids.ts';
import type { Codec } from '../codec/codec.ts';
import { specOf } from './definition.ts';
import type { SessionDefinition } from './definition.ts';
import { made } from './made.ts';

/** What the definition gives an attribute that was never written; undefined: nothing. */
export function defaultOf(codec: Codec, definition: SessionDefinition<object, object>, name: string): unknown {
  const initial = specOf(definition, name)?.initial;
  return initial === undefined ? undefined : made(codec, name, 'default', initial);
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
  const { migrate, version = 0 } = specOf(definition, name) ?? {};
  if (migrate === undefined || from >= version) return value;
  return made(codec, name, `\`migrate\` (from version ${from} to ${version})`, () => migrate(value, from));
}

/** Whether a value of that version of its schema is newer than the definition. */
export function isNewer(definition: SessionDefinition<object, object>, name: string, version: number): boolean {
  return version > (specOf(definition, name) ?? { version: Infinity }).version;
}
