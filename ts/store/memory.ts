import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { TransactionalStore } from './transactional.ts';
import type { Backend, KeyValue, Row, StoredRecord } from './transactional.ts';
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
  readonly #kv: KeyValue = memoryKeyValue(this.#sessions);

  async write<T>(run: (kv: KeyValue) => T): Promise<T> {
    return run(this.#kv);
  }

  read<T>(run: (kv: KeyValue) => T): T {
    return run(this.#kv);
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

/** Rows are copied on their way in and out, so that a transition that throws changes nothing. */
function memoryKeyValue(sessions: Map<string, Session>): KeyValue {
  return {
    row: (id) => {
      const session = sessions.get(id);
      return session && copyRow(session.row);
    },
    putRow(id, row) {
      const session = sessions.get(id);
      if (session === undefined) sessions.set(id, { row: copyRow(row), records: new Map() });
      else session.row = copyRow(row);
    },
    deleteRow: (id) => void sessions.delete(id),
    record: (id, revision) => sessions.get(id)?.records.get(revision),
    putRecord(id, revision, { nonce, bytes }) {
      sessions.get(id)?.records.set(revision, { nonce, bytes: new Uint8Array(bytes) });
    },
    deleteRecords(id, from, to) {
      const records = sessions.get(id)?.records;
      for (let revision = from; revision < to; revision += 1) records?.delete(revision);
    },
    ids: (after, limit) => [...sessions.keys()].filter((id) => byBytes(id, after) > 0).sort(byBytes).slice(0, limit),
  };
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

function copyRow(row: Row): Row {
  const { token, holder, queue } = row.lock;
  return { ...row, lock: { token, ...(holder && { holder: { ...holder } }), queue: queue.map((waiter) => ({ ...waiter })) } };
}
