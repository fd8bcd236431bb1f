import type { Image } from '../log/image.ts';
import { isKnownTree } from '../tracking/tracker.ts';
import type { Tracker } from '../tracking/tracker.ts';
import { checkValues, classOf, givenOf } from './definition.ts';
import type { SessionDefinition } from './definition.ts';
import type { Slots } from './slots.ts';

/** Makes `values` the whole state, but for what cannot be changed; what is equal is not written. */
export function replaceAll(
  definition: SessionDefinition<object, object>,
  tracker: Tracker,
  slots: Slots,
  image: Image,
  values: object,
): void {
  const { state } = tracker;
  const stays = (name: string): boolean =>
    (classOf(definition, name) === 'immutable' && slots.has(name)) || slots.readOnly(name) !== undefined;
  checkValues(definition, 'replace', values, (name) => !stays(name));
  const given = Object.values(values).includes(undefined) ? givenOf(values) : (values as Record<string, unknown>);
  tracker.checkOpen();
  const written = tracker.writeSet; // in these, something may be in several places by now
  const isThere = (name: string): boolean =>
    image.value(name) !== undefined &&
    slots.has(name) &&
    slots.owner(name).ids === undefined &&
    !written.has(name) &&
    isKnownTree(slots.get(name), given[name]);
  for (const name of slots.names()) if (!Object.hasOwn(given, name) && !stays(name)) delete state[name];
  for (const name of Object.keys(given)) if (!stays(name) && !isThere(name)) state[name] = given[name];
  slots.arrange(Object.keys(given));
}
