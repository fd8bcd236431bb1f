import { systemClock } from '../clock.ts';
import { Draws, systemEntropy } from '../entropy.ts';
import { HoldfastError } from '../errors.ts';
import { raised } from './backend.ts';
import type { About, Backend, Draft, Marks, View } from './backend.ts';
import { Deadline } from './deadline.ts';
import { NotedDraft } from './draft.ts';
import type { SocketInbox } from './inbox.ts';
import { shortId } from './row.ts';
import type { Row } from './row.ts';
import { writeRow } from './row-text.ts';
import { lookThrough } from './sqlite-check.ts';
import type { StoreCheck } from './sqlite-check.ts';
import { withGrace } from './sqlite-link.ts';
import type { SqliteLink } from './sqlite-link.ts';
import { RowMemory } from './sqlite-memory.ts';
import { SqliteSight } from './sqlite-sight.ts';
import type { Want } from './sqlite-sight.ts';
import type { Answer, Reading, Writing } from './sqlite-wire.ts';
import type { Hint, ListQuery, Membership } from './store.ts';

/** The bound of opening, closing, and of a call that names none. */
export const BOUND_MS = 10_000;
/** Of one wait, whatever the call may take. */
const LONGEST_MS = 60_000;
/** The store's threads answer this much before the caller gives up, so that it learns what became of the call. */
const MARGIN_MS = 250;
/** A write that loses this often in a row to others on the same session gives up. */
const MOST_TRIES = 1000;
/** Of records that come at once; doubled each time that more are asked for. */
const FIRST_BYTES = 1 << 18;
/** Of compacting a store, or copying it, in one go. */
const LONGEST_WORK_MS = 3_600_000;

/**
 * Writes are drafted on what was read and committed if row and marks are still the same, which the store's own thread
 * compares. Its locks, which all processes share, are thus never held while JavaScript runs.
 */
export class SqliteBackend implements Backend {
  readonly name = 'SQLite';
  readonly #link: SqliteLink;
  readonly #inbox: SocketInbox;
  readonly #draws = new Draws(systemEntropy);
  readonly #rows = new RowMemory();

  constructor(link: SqliteLink, inbox: SocketInbox) {
    this.#link = link;
    this.#inbox = inbox;
  }

  /**
   * Drafted on the row as this process wrote it last, while nobody else has: that saves to read it. What it only says
   * is never taken from there.
   */
  async write<T>(about: About, run: (draft: Draft) => T, deadline: Deadline): Promise<T> {
    const { id } = about;
    let remembered = this.#rows.sightOf(id);
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const { seen, sight } = await this.#see(about, (view) => noted(view, run), deadline, remembered);
      const isMemory = sight === remembered;
      remembered = undefined;
      if (isMemory && seen.error !== undefined) continue;
      const { draft, reply } = resultOf(seen);
      if (draft.empty ? !isMemory : await this.#commit(id, sight, draft, deadline)) return reply;
    }
    throw outrun(`session '${shortId(id)}'`);
  }

  async read<T>(about: About | ListQuery | undefined, run: (view: View) => T, deadline: Deadline): Promise<T> {
    return resultOf((await this.#see(about, run, deadline)).seen);
  }

  async raise(next: (marks: Marks) => Partial<Marks>, deadline: Deadline): Promise<Marks> {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const before = await this.read(undefined, (view) => view.marks(), deadline);
      const after = raised(before, next(before));
      if (after.epoch === before.epoch && after.births === before.births) return after;
      if (isWritten(await this.#ask({ kind: 'raise', expected: before, next: after }, deadline, 'unknown')))
        return after;
    }
    throw outrun('the epoch');
  }

  check(onSession: (done: number) => void): Promise<StoreCheck> {
    const read = async <T>(about: About | ListQuery, run: (view: SqliteSight) => T): Promise<T> =>
      resultOf((await this.#see(about, run, new Deadline(systemClock, {}, LONGEST_MS))).seen);
    return lookThrough(this.#link, read, onSession);
  }

  async compact(): Promise<void> {
    await this.#link.ask({ kind: 'compact' }, withGrace(LONGEST_WORK_MS));
  }

  async copy(to: string): Promise<void> {
    await this.#link.ask({ kind: 'copy', to }, withGrace(LONGEST_WORK_MS));
  }

  /** Fetches and runs, until all that `run` asked for was there, of one moment. */
  async #see<T>(
    about: About | ListQuery | undefined,
    run: (view: SqliteSight) => T,
    deadline: Deadline,
    remembered?: SqliteSight,
  ): Promise<{ seen: Seen<T>; sight: SqliteSight }> {
    const first = wantOf(about);
    let sight = remembered ?? new SqliteSight();
    let wants = remembered === undefined ? [first] : [];
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      if (wants.length > 0 && !(await this.#fetchAll(sight, wants, FIRST_BYTES * 2 ** Math.min(tries, 10), deadline))) {
        sight = new SqliteSight();
        wants = [first];
        continue;
      }
      const seen = attempt(sight, run);
      wants = sight.takeWants();
      if (wants.length === 0) return { seen, sight };
    }
    throw outrun('what was to be read');
  }

  async #fetchAll(
    sight: SqliteSight,
    wants: readonly Want[],
    limitBytes: number,
    deadline: Deadline,
  ): Promise<boolean> {
    return (await Promise.all(wants.map((want) => this.#fetch(sight, want, limitBytes, deadline)))).every(Boolean);
  }

  /** False: it does not fit to what was fetched before. */
  async #fetch(sight: SqliteSight, want: Want, limitBytes: number, deadline: Deadline): Promise<boolean> {
    deadline.check();
    const request: Reading =
      'page' in want ? { kind: 'page', query: want.page } : { kind: 'fetch', id: want.id, from: want.from, limitBytes };
    const answer = await this.#ask(request, deadline, 'none');
    if (answer.kind === 'page' && 'page' in want) return sight.addPage(want.page, answer.page);
    return answer.kind === 'found' && 'id' in want && sight.addFound(want.id, want.from, answer.found);
  }

  /** False: others were faster, and nothing was written. */
  async #commit(id: string, sight: SqliteSight, draft: NotedDraft, deadline: Deadline): Promise<boolean> {
    deadline.check();
    const before = readable(sight, id);
    const after = draft.changedRow;
    const terms = draft.cleared || after !== undefined ? (after?.terms ?? []) : (before?.terms ?? []);
    const next = this.#draws.nonce();
    const marks = sight.marks();
    const request: Writing = {
      kind: 'draft',
      id,
      version: sight.version(id),
      next,
      marks,
      cleared: draft.cleared,
      changes: draft.records,
      row: after && writeRow(after),
      allTerms: before === undefined && sight.version(id) !== undefined && (draft.cleared || after !== undefined),
      lostTerms: (before?.terms ?? []).filter((term) => !terms.includes(term)),
      // What takes the place of all that was there mends its entries too.
      newTerms: terms.filter((term) => draft.cleared || before?.terms.includes(term) !== true),
      flush: draft.cleared || draft.records.length > 0 || settled(before) !== settled(after),
    };
    this.#rows.forget(id);
    if (!isWritten(await this.#ask(request, deadline, 'unknown'))) return false;
    if (after !== undefined) this.#rows.keep(id, { version: next, row: after }, marks);
    return true;
  }

  /** `outcome`: of a request that is given up. */
  #ask(request: Reading | Writing, deadline: Deadline, outcome: 'none' | 'unknown'): Promise<Answer> {
    const giveUpMs = Math.min(LONGEST_MS, deadline.leftMs);
    const asked = this.#link.ask(request, {
      boundMs: giveUpMs - Math.min(MARGIN_MS, giveUpMs / 10),
      giveUpMs,
      outcome,
    });
    return deadline.orAbort(asked, outcome);
  }

  send(member: string, hint: Hint): void {
    this.#inbox.send(member, hint);
  }

  /** Nobody can watch. */
  changed(): void {}

  async join(listener: (hint: Hint) => void): Promise<Omit<Membership, 'epoch'>> {
    return { ...(await this.#inbox.join(listener)), watch: async () => undefined };
  }

  async close(): Promise<void> {
    try {
      await this.#inbox.close();
    } finally {
      await this.#link.close(BOUND_MS);
    }
  }
}

function wantOf(about: About | ListQuery | undefined): Want {
  if (about === undefined) return { id: '' };
  return 'id' in about ? { id: about.id, from: about.whole === true ? 0 : undefined } : { page: about };
}

function noted<T>(view: View, run: (draft: Draft) => T): { readonly draft: NotedDraft; readonly reply: T } {
  const draft = new NotedDraft(view);
  const reply = run(draft);
  return { draft, reply };
}

/** What came of a run: of use once it is known that nothing was missing. */
type Seen<T> = { readonly result: T; readonly error?: undefined } | { readonly error: unknown };

function attempt<T>(sight: SqliteSight, run: (view: SqliteSight) => T): Seen<T> {
  try {
    return { result: run(sight) };
  } catch (error) {
    return { error };
  }
}

function resultOf<T>(seen: Seen<T>): T {
  if ('result' in seen) return seen.result;
  throw seen.error;
}

/** A damaged row is about to be replaced. */
function readable(sight: SqliteSight, id: string): Row | undefined {
  try {
    return sight.row(id);
  } catch {
    return undefined;
  }
}

/** What a row says beside its lock and the looks of the sweep; of one that is here for its lock alone: nothing. */
function settled(row: Row | undefined): string {
  if (row === undefined || row.revision === 0) return '';
  return JSON.stringify({ ...row, lock: undefined, boot: undefined, lookedAt: undefined });
}

const isWritten = (answer: Answer): boolean => answer.kind === 'committed' && answer.written;

function outrun(what: string): HoldfastError {
  return new HoldfastError(
    'ERR_UNAVAILABLE',
    `SQLite: ${what} was changed by others ${MOST_TRIES} times while this call tried to; retry`,
    { outcome: 'none' },
  );
}
