import type { Position } from '../position.ts';
import type { CallOptions, Store, Tail } from './store.ts';

/** What `since` lacks, whole: reads on where an answer was cut. `first`: an answer that is here already. */
export async function readTail(
  store: Pick<Store, 'read'>,
  id: string,
  since: Position,
  call: CallOptions,
  first?: Tail,
): Promise<Tail> {
  let tail = first ?? (await store.read(id, { since }, call));
  while (tail.next !== undefined) {
    const more = await store.read(id, { since: tail.next }, call);
    // Compacted meanwhile: what was read before is outdated.
    tail = more.whole
      ? more
      : { ...more, whole: tail.whole, terms: tail.terms, records: [...tail.records, ...more.records] };
  }
  return tail;
}
