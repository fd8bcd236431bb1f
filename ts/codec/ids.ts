/**
 * Numbers of the objects that are in more than one place of a value: what stands for them in its bytes. Kept from one
 * encoding to the next, so that an edit renumbers nothing.
 */
export type Ids = Map<object, number>;

/** What they are kept beside; undefined: nothing is in several places. */
export interface Named {
  ids: Ids | undefined;
}

/**
 * Of the objects that are `shared`, in the order in which they are `met`: each keeps the id that it has, others get the
 * lowest that are free.
 */
export function idsOf(met: Iterable<object>, shared: ReadonlySet<object>, kept: Ids | undefined): Ids {
  const ids: Ids = new Map();
  const used = new Set<number>();
  const fresh: object[] = [];
  for (const object of met) {
    if (!shared.has(object)) continue;
    const id = kept?.get(object);
    if (id === undefined || used.has(id)) fresh.push(object);
    else {
      ids.set(object, id);
      used.add(id);
    }
  }
  let next = 0;
  for (const object of fresh) {
    while (used.has(next)) next += 1;
    ids.set(object, next);
    next += 1;
  }
  return ids;
}
