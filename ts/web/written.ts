import { isDeepStrictEqual } from 'node:util';
import { specOf } from '../session/definition.ts';
import type { SessionDefinition } from '../session/definition.ts';
import type { Session } from '../session/session.ts';
import { plain } from '../tracking/tracker.ts';

/** Whether a session that is not stored yet is other than `given` and the defaults make it. */
export function isWritten<S extends object, V extends object>(
  definition: SessionDefinition<S, V>,
  session: Session<S, V>,
  given: object,
): boolean {
  const first = given as Readonly<Record<string, unknown>>;
  const state = session.state as Readonly<Record<string, unknown>>;
  return session.tracked().some((name) => {
    const spec = specOf(definition, name);
    // Given when the session was made, and never again.
    if (spec?.class === 'immutable' && spec.initial !== undefined) return false;
    return !isDeepStrictEqual(plain(state[name]), Object.hasOwn(first, name) ? first[name] : spec?.initial?.());
  });
}
