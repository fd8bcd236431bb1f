import type { Call, Heard, StorePlace } from './call.ts';
import type { Findings } from './finding.ts';
import type { Page } from '../store/store.ts';

/** Pages that belong together: each was asked for with the cursor of the one before. */
export interface Listing {
  /** The mark that asked for its first page. */
  readonly begunBy: number;
  readonly ids: Set<string>;
}

/** A page is asked for. Undefined: of a listing that nobody saw begin. */
export function sendList({ listings }: StorePlace, cursor: string | undefined, index: number): Listing | undefined {
  return cursor === undefined ? { begunBy: index, ids: new Set() } : listings.get(cursor);
}

/** A page came. After the last one, all that lived all through the listing must have been in it. */
export function checkList(
  { place, listing, mark, index }: Call,
  { ids, cursor }: Page,
  heard: Heard,
  findings: Findings,
): void {
  if (listing === undefined) return;
  for (const id of ids) listing.ids.add(id);
  // Equal cursors go on alike: whoever asks with one goes on with the listing that had it last.
  if (cursor !== undefined) return void place.listings.set(cursor, listing);
  for (const log of place.living) {
    const since = log.livingSince(heard.wall);
    // it is judged no more, so that no listing is held up by what is long gone
    if (since === undefined) place.living.delete(log);
    else if (since < listing.begunBy && !listing.ids.has(log.id)) {
      findings.say('stale read', log.id, `list by ${mark.who} omits it, and it lived all through the listing`, [
        since,
        listing.begunBy,
        index,
        heard.index,
      ]);
    }
  }
}
