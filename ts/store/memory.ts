import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { NotedDraft } from './draft.ts';
import { TransactionalStore } from './transactional.ts';
import type { Backend, Draft, Row, StoredRecord, View } from './transactional.ts';
import type { Hint, Membership } from './store.ts';

interface Session {
  row: Row;
  records: Map<number, StoredRecord>;
}

export interface MemoryStoreOptions {
  readonly clock?: Clock;
}

/** A store in the process's own memory: for tests and single processes. Nothing outlives the process. */
export class MemoryStore extends TransactionalStore {
  constructor(options: MemoryStoreOptions = {}) {
    super(new MemoryBackend(), options.clock ?? systemClock);
  }
}

class MemoryBackend implements Backend {
  readonly name = 'memory';
  readonly #sessions = new Map<string, Session>();
  readonly #listeners = new Map<string, (hint: Hint) => void>();
  #members = 0;
  readonly #view: View = memoryView(this.#sessions);

  async write<T>(id: string, run: (draft: Draft) => T): Promise<T> {
    const draft = new NotedDraft(this.#view, id);
    const result = run(draft);
    this.#commit(id, draft);
    return result;
  }

  read<T>(run: (view: View) => T): T {
    return run(this.#view);
  }

  #commit(id: string, { changedRow, records }: NotedDraft): void {
    if (changedRow === null) this.#sessions.delete(id);
    let session = this.#sessions.get(id);
    if (session === undefined) {
      if (!changedRow) return;
      this.#sessions.set(id, (session = { row: changedRow, records: new Map() }));
    } else if (changedRow) session.row = changedRow;
    for (const change of records) {
      if (change.op === 'put') session.records.set(change.revision, { nonce: change.record.nonce, bytes: new Uint8Array(change.record.bytes) });
      else for (let revision = change.from; revision < change.to; revision += 1) session.records.delete(revision);
    }
  }

  send(member: string, hint: Hint): void {
    const listener = this.#listeners.get(member);
    if (listener !== undefined) queueMicrotask(() => this.#listeners.get(member)?.(hint));
  }

  async join(listener: (hint: Hint) => void): Promise<Membership> {
    const member = `m${(this.#members += 1)}`;
    this.#listeners.set(member, listener);
    return {
      member,
      leave: async () => {
        this.#listeners.delete(member);
      },
    };
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }
}

/** Rows are copied on their way out, so that a transition that throws changes nothing. */
function memoryView(sessions: ReadonlyMap<string, Session>): View {
  return {
    row: (id) => {
      const session = sessions.get(id);
      return session && copyRow(session.row);
    },
    record: (id, revision) => sessions.get(id)?.records.get(revision),
    ids: (after, limit) => [...sessions.keys()].filter((id) => byBytes(id, after) > 0).sort(byBytes).slice(0, limit),
  };
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

function copyRow(row: Row): Row {
  const { token, holder, queue } = row.lock;
  return { ...row, lock: { token, ...(holder && { holder: { ...holder } }), queue: queue.map((waiter) => ({ ...waiter })) } };
}
