import { systemClock } from '../../clock.ts';
import type { Clock } from '../../clock.ts';
import type { Codec } from '../../codec/codec.ts';
import { HoldfastError } from '../../errors.ts';
import type { Listener } from '../../observe.ts';
import { describe } from '../../options.ts';
import { defineSession, mutable } from '../../session/definition.ts';
import type { SessionDefinition } from '../../session/definition.ts';
import type { Document, Documents, LifeOf } from '../../session/documents.ts';
import type { ClosedReport } from '../../session/options.ts';
import { SessionRepository, documentsOf } from '../../session/repository.ts';
import type { Store } from '../../store/store.ts';
import { hashedId } from '../sid.ts';
import type { LegacySession } from './legacy.ts';
import { lifeUntil } from './life.ts';
import { checkDropIn, passedOn, policyOf } from './options.ts';
import type { DropInOptions } from './options.ts';
import { TakeOver } from './take-over.ts';
import { checkSession, encodedCookie, expiresOf, given, taken } from './values.ts';
import type { SessionValues, Taken } from './values.ts';

const DAY_MS = 24 * 3_600_000;
/** Sessions that `all` and `clear` are at, at one time. */
const AT_ONCE = 16;

/** What is known of a session object of the application: what it was when it was handed out, or last saved. */
export interface Handed {
  readonly id: string;
  /** Undefined: this object came from elsewhere, and is not saved yet. */
  document: Document | undefined;
  /** Saves of one object come one after the other. */
  last: Promise<unknown>;
}

interface Opened {
  readonly sessions: SessionRepository<object, object>;
  readonly documents: Documents;
}

/** Sessions by the ids of cookies, as the stores of express-session and @fastify/session need them. */
export class DropIn {
  readonly #definition: SessionDefinition<object, object>;
  readonly #opened: Promise<Opened>;
  readonly #ttlMs: number;
  readonly #clock: Clock;
  readonly #takeOver: TakeOver | undefined;
  readonly #handed = new WeakMap<object, Handed>();

  constructor(options: DropInOptions) {
    checkDropIn(options);
    const { ttlMs = DAY_MS, clock = systemClock, legacy, storeTimeoutMs = 5000 } = options;
    this.#ttlMs = ttlMs;
    this.#clock = clock;
    const cookie = mutable<SessionValues>(undefined, { merge: 'mine' });
    const undeclared = mutable<unknown>(undefined, { merge: policyOf(options) as 'fail' });
    this.#definition = defineSession({ cookie }, { undeclared });
    this.#takeOver = legacy && new TakeOver(legacy, clock, storeTimeoutMs);
    this.#opened = this.#open(options);
    this.#opened.catch(() => undefined); // each call tells of it
  }

  async #open(options: DropInOptions): Promise<Opened> {
    const definition = this.#definition;
    const sessions = new SessionRepository({ ...passedOn(options), store: await opened(options), definition });
    return { sessions, documents: documentsOf(sessions) };
  }

  get #codec(): Codec {
    return this.#definition.codec;
  }

  handedOf(session: object): Handed | undefined {
    return this.#handed.get(session);
  }

  /** The application goes on with another object. */
  hand(session: object, handed: Handed | undefined): void {
    if (handed !== undefined) this.#handed.set(session, handed);
  }

  async get(sid: string): Promise<SessionValues | undefined> {
    const { documents } = await this.#opened;
    const id = idOf(sid);
    let document = await documents.look(id, true);
    if (document.replica.state === 'absent' && this.#takeOver !== undefined) {
      await this.#takeOver.move(sid, (found) => this.#begin(documents, id, found));
      document = await documents.look(id, true);
    }
    if (!document.replica.exists) return undefined;
    const session = given(this.#codec, document);
    this.#handed.set(session, { id, document, last: Promise.resolve() });
    return session;
  }

  async #begin(documents: Documents, id: string, { session, leftMs }: LegacySession): Promise<void> {
    const { values, expires } = taken(this.#codec, session);
    const now = this.#clock.now();
    // Touches have moved the legacy store's own time alone: it tells better than the cookie.
    const until = leftMs === undefined ? expires : Math.round(now + leftMs);
    const life: LifeOf =
      expires !== undefined && until !== undefined && until > now
        ? lifeUntil(until, this.#clock, this.#ttlMs)
        : () => ({ idleMs: leftMs ?? this.#ttlMs });
    await documents.begin(id, values, life);
  }

  /** What the session is now; what becomes of the object meanwhile is for the next. */
  async set(sid: string, session: object, known: Handed | undefined = this.#handed.get(session)): Promise<void> {
    const id = idOf(sid);
    const now = taken(this.#codec, session);
    const handed = known?.id === id ? known : { id, document: undefined, last: Promise.resolve() };
    this.#handed.set(session, handed);
    const saving = handed.last.then(() => this.#set(sid, handed, now));
    handed.last = saving.catch(() => undefined); // this caller's to handle
    return saving;
  }

  async #set(sid: string, handed: Handed, { values, expires }: Taken): Promise<void> {
    if (expires !== undefined && expires <= this.#clock.now()) return this.destroy(sid);
    const { documents } = await this.#opened;
    const life = lifeUntil(expires, this.#clock, this.#ttlMs);
    const { document, id } = handed;
    if (document === undefined) await this.#takeOver?.delete(sid);
    const saved = await (document === undefined
      ? documents.put(id, values, life)
      : documents.save(document, values, life));
    if (saved !== undefined) handed.document = saved;
  }

  /** Moves the expiry, and keeps what else was changed in the cookie. */
  async touch(sid: string, session: object, known: Handed | undefined = this.#handed.get(session)): Promise<void> {
    checkSession('touch', session);
    const { cookie } = session as SessionValues;
    const expires = expiresOf(cookie);
    const bytes = typeof cookie === 'object' && cookie !== null ? encodedCookie(this.#codec, cookie) : undefined;
    if (expires !== undefined && expires <= this.#clock.now()) return this.destroy(sid);
    const { documents } = await this.#opened;
    const id = idOf(sid);
    if (known?.id === id) await known.last;
    const document = (known?.id === id ? known.document : undefined) ?? (await documents.look(id, false));
    if (!document.replica.exists) return;
    const values = bytes === undefined ? document.values : new Map(document.values).set('cookie', bytes);
    const saved = await documents.save(document, values, lifeUntil(expires, this.#clock, this.#ttlMs));
    if (saved !== undefined && known?.id === id) known.document = saved;
  }

  /** For good: a save of a request that is still under way does not bring it back. */
  async destroy(sid: string): Promise<void> {
    const { sessions, documents } = await this.#opened;
    const id = idOf(sid);
    const wasThere = await sessions.delete(id);
    if (this.#takeOver === undefined) return;
    if (!wasThere) {
      // Whoever is taking it over finds that it has ended.
      await documents.begin(id, new Map(), () => ({ idleMs: this.#ttlMs }));
      await sessions.delete(id);
    }
    await this.#takeOver.delete(sid);
  }

  /** All sessions, by their ids in the store. */
  async all(): Promise<Record<string, SessionValues>> {
    const { sessions, documents } = await this.#opened;
    const all: Record<string, SessionValues> = {};
    await each(sessions.ids(), async (id) => {
      const document = await documents.look(id, false);
      if (document.replica.exists) all[id] = given(this.#codec, document);
    });
    return all;
  }

  async length(): Promise<number> {
    const { sessions } = await this.#opened;
    let length = 0;
    for await (const _ of sessions.ids()) length += 1;
    return length;
  }

  async clear(): Promise<void> {
    const { sessions } = await this.#opened;
    if (this.#takeOver !== undefined)
      throw new HoldfastError(
        'ERR_INVALID',
        'clear would leave the sessions that the legacy store still has: clear that, and make this store without `legacy`',
      );
    await each(sessions.ids(), async (id) => void (await sessions.delete(id)));
  }

  /** See `SessionRepository.observe`. */
  observe(listener: Listener): () => void {
    let end: (() => void) | undefined;
    let isOver = false;
    const begin = ({ sessions }: Opened): void => void (isOver || (end = sessions.observe(listener)));
    void this.#opened.then(begin, () => undefined); // each call tells of it
    return () => {
      isOver = true;
      end?.();
    };
  }

  /** See `SessionRepository.close`. The store below is whose it was. */
  async close(): Promise<ClosedReport> {
    const { sessions } = await this.#opened;
    return sessions.close();
  }
}

/** Errors of the system would be taken for other things: express-session takes ENOENT for a session that is not there. */
async function opened({ store }: DropInOptions): Promise<Store> {
  try {
    return await store;
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const message = 'the promise of a store was rejected (see `cause`): see to what it says, and start again';
    throw new HoldfastError('ERR_UNAVAILABLE', message, { cause, outcome: 'none' });
  }
}

function idOf(sid: string): string {
  if (typeof sid === 'string' && sid !== '') return hashedId(sid);
  throw new HoldfastError('ERR_INVALID', `a session's id is text that is not empty, not ${describe(sid)}`);
}

async function each(ids: AsyncIterable<string>, run: (id: string) => Promise<void>): Promise<void> {
  let batch: string[] = [];
  for await (const id of ids) {
    batch.push(id);
    if (batch.length < AT_ONCE) continue;
    await Promise.all(batch.map(run));
    batch = [];
  }
  await Promise.all(batch.map(run));
}
