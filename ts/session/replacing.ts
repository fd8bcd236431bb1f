import type { Image } from '../log/image.ts';
import { isKnownTree } from '../tracking/tracker.ts';
import type { Tracker } from '../tracking/tracker.ts';
import { classOf } from './definition.ts';
import type { SessionDefinition } from './definition.ts';
import type { Slots } from './slots.ts';
import { valuesOf } from './values.ts';

/** Makes `values` the whole state, but for what cannot be changed; what is equal is not written. */
export function replaceAll(
  definition: SessionDefinition<object, object>,
  tracker: Tracker,
  slots: Slots,
  image: Image,
  values: object,
): void {
  const stays = (name: string): boolean =>
    (classOf(definition, name) === 'immutable' && slots.has(name)) || slots.readOnly(name) !== undefined;
  const given = valuesOf(definition, 'replace', values, (name) => !stays(name));
  tracker.checkOpen();
  const written = tracker.writeSet; // in these, something may be in several places by now
  const isThere = (name: string, value: unknown): boolean =>
    image.value(name) !== undefined &&
    slots.has(name) &&
    slots.owner(name).ids === undefined &&
    !written.has(name) &&
    isKnownTree(slots.get(name), value);
  const changed = new Map<string, unknown>();
  for (const [name, value] of given) if (!stays(name) && !isThere(name, value)) changed.set(name, value);
  const gone = slots.names().filter((name) => !given.has(name) && !stays(name));
  tracker.assign(changed, gone);
  slots.arrange([...given.keys()]);
}
