import type { Marks } from './backend.ts';
import type { Row } from './row.ts';
import { SqliteSight } from './sqlite-sight.ts';
import type { KnownRow } from './sqlite-sight.ts';

/** Rows with longer lists are read again: what is kept is bounded in bytes too, at some 2 KB a row. */
const MOST_ROWS = 4096;
const LONGEST_LIST = 32;

const isSmall = ({ terms, lock }: Row): boolean => terms.length + lock.queue.length <= LONGEST_LIST;

/**
 * Rows as this process wrote them last, the latest used last. Others may have changed them: only what compares versions
 * may rest on them.
 */
export class RowMemory {
  readonly #kept = new Map<string, { readonly known: KnownRow; readonly marks: Marks }>();

  sightOf(id: string): SqliteSight | undefined {
    const kept = this.#kept.get(id);
    if (kept === undefined) return undefined;
    const sight = new SqliteSight();
    sight.addKnown(id, kept.known, kept.marks);
    return sight;
  }

  /** To be changed by nobody from now on. */
  keep(id: string, known: KnownRow, marks: Marks): void {
    this.#kept.delete(id);
    if (!isSmall(known.row)) return;
    this.#kept.set(id, { known, marks });
    if (this.#kept.size > MOST_ROWS) this.forget(this.#kept.keys().next().value as string);
  }

  forget(id: string): void {
    this.#kept.delete(id);
  }
}
