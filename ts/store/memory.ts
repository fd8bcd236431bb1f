import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { systemEntropy } from '../entropy.ts';
import type { Entropy } from '../entropy.ts';
import { checkOptions, clock as clockRule, withMethods } from '../options.ts';
import { raised } from './backend.ts';
import type { About, Backend, Draft, Marks, View } from './backend.ts';
import type { Deadline } from './deadline.ts';
import { NotedDraft } from './draft.ts';
import type { RecordChange } from './draft.ts';
import { Listing } from './listing.ts';
import { copyRow } from './row.ts';
import type { Row, StoredRecord } from './row.ts';
import type { Hint, ListQuery, Membership, Page } from './store.ts';
import { SWEEP_RULES } from './sweeper.ts';
import type { SweepOptions } from './sweeper.ts';
import { TransactionalStore } from './transactional.ts';

interface Session {
  row: Row;
  readonly records: Map<number, StoredRecord>;
}

const RUN_BYTES = 4;

interface Member {
  readonly listener: (hint: Hint) => void;
  watched: ReadonlySet<string> | 'all';
}

export interface MemoryStoreOptions extends SweepOptions {
  readonly clock?: Clock | undefined;
  /** Of the names of members, which are never used again: also not after a restart. */
  readonly entropy?: Entropy | undefined;
}

/** A store in the process's own memory: for tests and single processes. Nothing outlives the process. */
export class MemoryStore extends TransactionalStore {
  constructor(options: MemoryStoreOptions = {}) {
    checkOptions('MemoryStore', options, {
      clock: clockRule,
      entropy: withMethods('a source of random bytes', 'fill'),
      ...SWEEP_RULES,
    });
    const can = { durability: ['primary'], watch: true, find: true } as const;
    super(new MemoryBackend(options.entropy ?? systemEntropy), {
      ...options,
      clock: options.clock ?? systemClock,
      boundMs: Infinity,
      can,
    });
  }
}

class MemoryBackend implements Backend, View {
  readonly name = 'memory';
  readonly #sessions = new Map<string, Session>();
  readonly #listing = new Listing();
  readonly #terms = new Map<string, Listing>();
  readonly #members = new Map<string, Member>();
  readonly #run: string;
  #joined = 0;
  #marks: Marks = { epoch: 0, births: 0 };

  constructor(entropy: Entropy) {
    const bytes = Buffer.alloc(RUN_BYTES);
    entropy.fill(bytes);
    this.#run = bytes.toString('hex');
  }

  async write<T>({ id }: About, run: (draft: Draft) => T, _deadline: Deadline): Promise<T> {
    const draft = new NotedDraft(this);
    const result = run(draft);
    this.#commit(id, draft);
    return result;
  }

  async read<T>(_about: About | ListQuery | undefined, run: (view: View) => T): Promise<T> {
    return run(this);
  }

  async raise(next: (marks: Marks) => Partial<Marks>): Promise<Marks> {
    return (this.#marks = raised(this.#marks, next(this.#marks)));
  }

  marks(): Marks {
    return this.#marks;
  }

  /** Copied on its way out, so that a transition that throws changes nothing. */
  row(id: string): Row | undefined {
    const row = this.#sessions.get(id)?.row;
    return row && copyRow(row);
  }

  record(id: string, revision: number): StoredRecord | undefined {
    return this.#sessions.get(id)?.records.get(revision);
  }

  page({ term, cursor, limit }: ListQuery): Page {
    const listing = term === undefined ? this.#listing : this.#terms.get(term);
    return listing?.page(cursor, limit) ?? { ids: [] };
  }

  #commit(id: string, { cleared, changedRow, records }: NotedDraft): void {
    const before = this.#sessions.get(id);
    if (cleared && before !== undefined) this.#remove(id, before.row, changedRow);
    if (changedRow === undefined) return;
    const { terms } = before?.row ?? { terms: [] };
    const session = this.#sessions.get(id) ?? { row: changedRow, records: new Map<number, StoredRecord>() };
    session.row = changedRow;
    this.#sessions.set(id, session);
    this.#listing.add(id);
    this.#index(id, terms, changedRow.terms);
    for (const change of records) changeRecord(session.records, change);
  }

  /** One that is replaced keeps its place in the listing. */
  #remove(id: string, row: Row, next: Row | undefined): void {
    this.#sessions.delete(id);
    if (next !== undefined) return;
    this.#listing.delete(id);
    this.#index(id, row.terms, []);
  }

  #index(id: string, before: readonly string[], terms: readonly string[]): void {
    if (before === terms) return;
    for (const term of before) {
      const listing = this.#terms.get(term);
      if (terms.includes(term) || listing === undefined) continue;
      listing.delete(id);
      if (listing.size === 0) this.#terms.delete(term);
    }
    for (const term of terms) {
      const listing = this.#terms.get(term) ?? new Listing();
      listing.add(id);
      this.#terms.set(term, listing);
    }
  }

  send(name: string, hint: Hint): void {
    if (this.#members.has(name)) queueMicrotask(() => this.#members.get(name)?.listener(hint));
  }

  changed(id: string): void {
    for (const [name, { watched }] of this.#members) {
      if (watched === 'all' || watched.has(id)) this.send(name, { kind: 'changed', id });
    }
  }

  async join(listener: (hint: Hint) => void): Promise<Omit<Membership, 'epoch'>> {
    const name = `${this.#run}.${(this.#joined += 1)}`;
    const member: Member = { listener, watched: new Set() };
    this.#members.set(name, member);
    return {
      member: name,
      watch: async (ids) => {
        member.watched = ids === 'all' ? ids : new Set(ids);
      },
      leave: async () => {
        this.#members.delete(name);
      },
    };
  }

  async close(): Promise<void> {
    this.#members.clear();
  }
}

function changeRecord(records: Map<number, StoredRecord>, change: RecordChange): void {
  if (change.op === 'put') records.set(change.revision, change.record);
  else for (let revision = change.from; revision < change.to; revision += 1) records.delete(revision);
}
