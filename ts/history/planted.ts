import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import { ORIGIN, samePosition } from '../position.ts';
import type { Append, Appended, Expiry, Head, ImageRecord, Store, Tail } from '../store/store.ts';

/** A store with a fault, to prove that whoever judges it can find faults. */
export interface PlantedStore extends Store {
  /** The machine of the store was started again. */
  restarted(): void;
}

export interface PlantOptions {
  readonly clock: Clock;
  /** The fault shows in one call of so many. */
  readonly every: number;
}

export type Plant = (inner: Store, options: PlantOptions) => PlantedStore;

export type PlantName =
  | 'drops an append'
  | 'answers before it writes'
  | 'applies twice'
  | 'accepts an old token'
  | 'fails although it wrote'
  | 'refuses although it wrote'
  | 'serves a stale read'
  | 'alters a record'
  | 'skips a record'
  | 'grants twice'
  | 'loses an end'
  | 'forgets the tail at a restart'
  | 'expires too early'
  | 'never expires'
  | 'keeps the epoch to itself';

/** How long a store that answers before it writes takes to write. */
const LAG_MS = 20;

/** Each fault as a wrapper around a store without. */
export const PLANTS: Readonly<Record<PlantName, Plant>> = {
  'drops an append': (inner, { every }) => {
    const due = oneIn(every);
    return {
      ...forward(inner),
      append: async (id, append, options) => {
        const drops = (await isNext(inner, id, append)) && due();
        return drops ? acknowledged(append) : inner.append(id, append, options);
      },
    };
  },

  'answers before it writes': (inner, { clock, every }) => {
    const due = oneIn(every);
    let runs = 0;
    return {
      ...forward(inner),
      restarted: () => void (runs += 1),
      append: async (id, append, options) => {
        if (!(await isNext(inner, id, append)) || !due()) return inner.append(id, append, options);
        const run = runs;
        const late = { ...append, bytes: append.bytes.slice() };
        clock.after(LAG_MS, () => run === runs && void inner.append(id, late).catch(() => undefined), true);
        return acknowledged(append);
      },
    };
  },

  'applies twice': (inner, { every }) => {
    const due = oneIn(every);
    return {
      ...forward(inner),
      append: async (id, append, options) => {
        const reply = await inner.append(id, append, options);
        if (!reply.appended || append.kind === 'end' || !due()) return reply;
        const { revision, nonce } = append.position;
        const under = (await headOf(inner, id))?.token ?? reply.token;
        await inner.append(id, {
          ...append,
          parent: append.position,
          position: { revision: revision + 1, nonce },
          under,
          lock: 'leave',
        });
        return reply;
      },
    };
  },

  'accepts an old token': (inner) => ({
    ...forward(inner),
    append: async (id, append, options) => {
      const head = await headOf(inner, id);
      const old = typeof append.under === 'number' && head !== undefined && append.under < head.token;
      return inner.append(id, old ? { ...append, under: head.token, lock: 'leave' } : append, options);
    },
  }),

  'fails although it wrote': (inner, { every }) => {
    const due = oneIn(every);
    return {
      ...forward(inner),
      append: async (id, append, options) => {
        const reply = await inner.append(id, append, options);
        if (reply.appended && due())
          throw new HoldfastError('ERR_UNAVAILABLE', 'planted: nothing was written; try again', { outcome: 'none' });
        return reply;
      },
    };
  },

  'refuses although it wrote': (inner, { every }) => {
    const due = oneIn(every);
    return {
      ...forward(inner),
      append: async (id, append, options) => {
        const reply = await inner.append(id, append, options);
        if (!reply.appended || !due()) return reply;
        return {
          appended: false,
          why: 'conflict',
          token: reply.token,
          tail: await inner.read(id, { since: append.parent }),
        };
      },
    };
  },

  'serves a stale read': (inner, { every }) => {
    const due = oneIn(every);
    const earlier = new Map<string, Tail>();
    return {
      ...forward(inner),
      read: async (id, request, options) => {
        const question = JSON.stringify([id, request]);
        const stale = earlier.get(question);
        if (stale !== undefined && due()) return stale;
        const tail = await inner.read(id, request, options);
        earlier.set(question, tail);
        return tail;
      },
    };
  },

  'alters a record': (inner, { every }) => {
    const due = oneIn(every);
    return {
      ...forward(inner),
      read: async (id, request, options) => {
        const tail = await inner.read(id, request, options);
        if (tail.records.length === 0 || !due()) return tail;
        return { ...tail, records: tail.records.map((bytes) => bytes.map((byte) => byte ^ 1)) };
      },
    };
  },

  'skips a record': (inner, { every }) => {
    const due = oneIn(every);
    return {
      ...forward(inner),
      lock: async (id, request, options) => {
        const reply = await inner.lock(id, request, options);
        if (!reply.granted || reply.tail.records.length < 2 || !due()) return reply;
        return { ...reply, tail: { ...reply.tail, records: reply.tail.records.slice(1) } };
      },
    };
  },

  'grants twice': (inner, { every }) => {
    const due = oneIn(every);
    return {
      ...forward(inner),
      lock: async (id, request, options) => {
        const reply = await inner.lock(id, request, options);
        if (reply.granted || !due()) return reply;
        const tail = await inner.read(id, request);
        if (tail.head === undefined) return reply;
        return { granted: true, token: tail.head.token, leaseLeftMs: request.leaseMs, wanted: false, tail };
      },
    };
  },

  'loses an end': (inner) => ({
    ...forward(inner),
    append: (id, append, options) =>
      inner.append(id, append.kind === 'end' ? { ...append, expiry: { idleMs: 1 } } : append, options),
  }),

  'forgets the tail at a restart': (inner) => {
    const logs = new Map<string, readonly ImageRecord[]>();
    let ready: Promise<unknown> = Promise.resolve();
    return {
      ...forward(inner, () => ready),
      append: async (id, append, options) => {
        await ready;
        const reply = await inner.append(id, append, options);
        if (reply.appended) logs.set(id, grown(logs.get(id) ?? [], append));
        return reply;
      },
      replace: async (id, image, expected, options) => {
        await ready;
        const reply = await inner.replace(id, image, expected, options);
        if (reply.appended) logs.set(id, image.records);
        return reply;
      },
      restarted: () => {
        ready = Promise.all([...logs].map(([id, log]) => forgetLast(inner, id, log, logs)));
      },
    };
  },

  'expires too early': (inner) => ({
    ...forward(inner),
    append: (id, append, options) => inner.append(id, { ...append, expiry: sooner(append.expiry) }, options),
    touch: (id, touch, options) => inner.touch(id, { ...touch, expiry: sooner(touch.expiry) }, options),
  }),

  'never expires': (inner) => ({
    ...forward(inner),
    append: (id, append, options) => inner.append(id, { ...append, expiry: append.expiry && {} }, options),
    touch: (id, touch, options) => inner.touch(id, { ...touch, expiry: touch.expiry && {} }, options),
  }),

  'keeps the epoch to itself': (inner) => ({
    ...forward(inner),
    promote: async (above, options) => {
      const { epoch } = await inner.ping(options);
      return { epoch: Math.max(above, epoch) + 1 };
    },
  }),
};

/** All calls go through, each after what `ready` says then. */
function forward(inner: Store, ready: () => Promise<unknown> = () => Promise.resolve()): PlantedStore {
  const after = <T>(run: () => Promise<T>): Promise<T> => ready().then(run);
  return {
    address: inner.address,
    can: inner.can,
    restarted: () => undefined,
    read: (...given) => after(() => inner.read(...given)),
    append: (...given) => after(() => inner.append(...given)),
    replace: (...given) => after(() => inner.replace(...given)),
    lock: (...given) => after(() => inner.lock(...given)),
    unlock: (...given) => after(() => inner.unlock(...given)),
    touch: (...given) => after(() => inner.touch(...given)),
    join: (...given) => after(() => inner.join(...given)),
    list: (...given) => after(() => inner.list(...given)),
    inspect: (...given) => after(() => inner.inspect(...given)),
    sweep: (...given) => after(() => inner.sweep(...given)),
    promote: (...given) => after(() => inner.promote(...given)),
    ping: (...given) => after(() => inner.ping(...given)),
    close: () => inner.close(),
  };
}

/** True once in `every` calls, for the first time half way. */
function oneIn(every: number): () => boolean {
  let calls = Math.floor(every / 2);
  return () => (calls += 1) % every === 0;
}

const headOf = async (store: Store, id: string): Promise<Head | undefined> =>
  (await store.read(id, { since: ORIGIN, limitBytes: 0 })).head;

/** Whether the store would accept the append now, under a token that is given. */
async function isNext(store: Store, id: string, { parent, under, kind }: Append): Promise<boolean> {
  const head = await headOf(store, id);
  if (typeof under !== 'number' || under < (head?.token ?? 0)) return false;
  if (head !== undefined && head.state !== 'live' && kind !== 'snapshot') return false;
  return head?.state !== 'ended' && samePosition(head?.position ?? ORIGIN, parent);
}

const sooner = (expiry: Expiry | undefined): Expiry | undefined =>
  expiry && { ...expiry, idleMs: expiry.idleMs && expiry.idleMs / 4 };

const acknowledged = ({ under }: Append): Appended => ({ appended: true, token: under as number, wanted: false });

/** The log from the snapshot before the latest on. */
function grown(log: readonly ImageRecord[], { position, kind, bytes }: Append): readonly ImageRecord[] {
  if (log.some((record) => samePosition(record.position, position))) return log;
  if (log.at(-1)?.position.revision !== position.revision - 1)
    return kind === 'delta' ? [] : [{ position, kind, bytes: bytes.slice() }];
  const before =
    kind === 'delta'
      ? log
      : log.slice(
          Math.max(
            0,
            log.findLastIndex((record) => record.kind === 'snapshot'),
          ),
        );
  return [...before, { position, kind, bytes: bytes.slice() }];
}

async function forgetLast(
  store: Store,
  id: string,
  log: readonly ImageRecord[],
  logs: Map<string, readonly ImageRecord[]>,
): Promise<void> {
  const head = await headOf(store, id);
  const records = log.slice(0, -1);
  // What followed an end cannot be put back with what came before.
  if (head?.state !== 'live' || records[0]?.kind !== 'snapshot' || records.some(({ kind }) => kind === 'end')) return;
  logs.set(id, records);
  await store.replace(id, { records, createdAt: head.createdAt, expiry: head.expiry, token: head.token }, undefined);
}
