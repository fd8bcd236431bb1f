import type { Backups } from '../backup/backups.ts';
import { systemClock } from '../clock.ts';
import type { Engine } from '../diff/differ.ts';
import { HoldfastError, shortId } from '../errors.ts';
import { DEFAULT_LEASE_MS, repositoryClosed } from '../lock/member-locks.ts';
import type { AcquireOptions } from '../lock/member-locks.ts';
import type { Listener } from '../observe.ts';
import { checkOptions, timeout } from '../options.ts';
import type { Store } from '../store/store.ts';
import type { Line } from '../sync/line.ts';
import { Replica } from '../sync/replica.ts';
import { withoutState } from '../tracking/tracker.ts';
import { autosave } from './autosave.ts';
import type { AutosaveOptions } from './autosave.ts';
import { Claims } from './claims.ts';
import type { Claimed } from './claimed.ts';
import type { SessionContext } from './context.ts';
import { closeAll } from './closing.ts';
import { classOf, keptBaseOf, specOf } from './definition.ts';
import type { CopiedState, DeepReadonly, SessionDefinition } from './definition.ts';
import { destroy } from './destroy.ts';
import { Documents } from './documents.ts';
import { wasRefused } from './endings.ts';
import { isLocal } from './freshness.ts';
import { isPossible } from './ids.ts';
import { lineOf } from './line-of.ts';
import { unlocked } from './looks.ts';
import { frameOf, inScope } from './nesting.ts';
import type {
  Access,
  AnyUse,
  ChangeIdOptions,
  CloseOptions,
  ClosedReport,
  CreateArguments,
  Opening,
  ReadOptions,
  RepositoryOptions,
  ScopeOptions,
  UseOptions,
} from './options.ts';
import {
  ACQUIRE_RULES,
  CHANGE_ID_RULES,
  CREATE_RULES,
  FIND_RULES,
  SCOPE_RULES,
  USE_RULES,
  checkMode,
  checkRepository,
} from './rules.ts';
import { guarded } from './saved.ts';
import { Session, endScope } from './session.ts';
import { Slots } from './slots.ts';
import { UnclosedSessions } from './unclosed.ts';
import { checkGiven, checkUse, isThenable } from './use.ts';
import { firstValues, valuesOf } from './values.ts';
import type { Values } from './values.ts';
import { verifyBackups } from './verification.ts';
import type { BackupVerdict } from './verification.ts';

/** For sessions that are handed out and taken back as a whole. */
export let documentsOf: <S extends object, V extends object>(sessions: SessionRepository<S, V>) => Documents;

/** So long after the primary fell silent uses go on from what is here (`serve-local`); undefined: none does. */
export let goesOnAfterMs: <S extends object, V extends object>(sessions: SessionRepository<S, V>) => number | undefined;

/**
 * Opens sessions that live in a store. One per process and store is enough; it is a member of the cluster of all that
 * share the store.
 */
export class SessionRepository<S extends object, V extends object = Partial<S>> {
  static {
    goesOnAfterMs = (sessions) => {
      const { terms } = sessions.#line.outage;
      return isLocal(terms) ? terms?.failMs : undefined;
    };
    documentsOf = (sessions) => new Documents(sessions.#context, (id, isUse) => sessions.#claims.newest(id, isUse));
  }

  readonly #line: Line;
  /** The store as the caller knows it. */
  readonly #place: Store;
  readonly #claims: Claims;
  /** Of its sessions. */
  readonly definition: SessionDefinition<S, V>;
  readonly #engineAsked: boolean;
  readonly #autosave: AutosaveOptions | undefined;
  readonly #unclosed: UnclosedSessions;
  readonly #context: SessionContext;
  readonly backups: Backups;

  constructor(options: RepositoryOptions<S, V>) {
    checkRepository(options);
    this.#line = lineOf(options, (id) => this.#claims.doubt(id));
    const { backups, observers, clock } = this.#line;
    this.backups = backups;
    this.#place = options.store;
    this.#engineAsked = (options.engine ?? (process.env['HOLDFAST_ENGINE'] || undefined)) !== undefined;
    this.definition = options.definition;
    const cacheBytes = options.cacheBytes ?? 64 * 1024 * 1024;
    this.#claims = new Claims(this.#line, options.store, options.lock ?? {}, cacheBytes, () =>
      this.#unclosed.notePlaces(),
    );
    this.#autosave = options.autosave;
    this.#unclosed = new UnclosedSessions(observers, clock === systemClock ? clock : undefined);
    this.#context = {
      line: this.#line,
      definition: this.definition,
      classOf: (name) => classOf(this.definition, name),
      frozenIn: (name) => specOf(this.definition, name)?.frozen,
      onSaved: options.onSaved && guarded(options.onSaved),
      saveMode: options.saveMode ?? 'write',
      keptBase: keptBaseOf(this.definition, options.base),
      tombstoneTtlMs: options.tombstoneTtlMs ?? 24 * 3_600_000,
      leaseMs: options.lock?.leaseMs ?? DEFAULT_LEASE_MS,
      claimNew: (id, given, place) => this.#claims.claimNew(id, given, place),
      lock: (id, given, existing, place) =>
        this.#claims.take(id, given, place) ?? this.#claims.claim(id, given, existing, place, true),
      unclosed: this.#unclosed,
    };
    this.#tellEngine(); // to who listens by way of diagnostics_channel
  }

  /** Which implementation of the differ runs. */
  get engine(): Engine {
    return this.#line.differ.engine;
  }

  /**
   * Calls `listener` with each event of this repository from now on, the choice of the engine first; returns a function
   * that ends it.
   */
  observe(listener: Listener): () => void {
    const end = this.#line.observers.observe(listener);
    this.#tellEngine();
    return end;
  }

  #tellEngine(): void {
    const { engine } = this;
    this.#line.observers.emit('engine', () => ({
      engine,
      why: this.#engineAsked ? ('option' as const) : engine === 'native' ? ('found' as const) : ('missing' as const),
    }));
  }

  /**
   * Locks and opens the session, runs `use`, saves what changed, and unlocks. Where lock and state are here, `use` begins
   * before this returns. If it throws, nothing of it is saved and the error is passed on. Parts of the state that it
   * returns are returned as plain copies. `ERR_NOT_FOUND` when there is no such session and `create` makes none, and when
   * it was destroyed. With `mode: 'optimistic'` it is not locked until it is saved, and `use` may be run again (`retry`);
   * with `mode: 'read'` nothing can be changed.
   */
  async scope<R>(
    id: string,
    use: (state: DeepReadonly<S>, session: Session<DeepReadonly<S>, V>) => R | Promise<R>,
    options: ReadOptions,
  ): Promise<R>;
  async scope<R>(
    id: string,
    use: (state: S, session: Session<S, V>) => R | Promise<R>,
    options?: ScopeOptions<V>,
  ): Promise<R>;
  async scope<R>(
    id: string,
    use: (state: never, session: never) => R | Promise<R>,
    options: AnyUse<V> = {},
  ): Promise<R> {
    checkUse(use);
    const opened = this.#open(id, options, this.scope);
    const session = opened instanceof Session ? opened : await opened;
    const frame = frameOf(this.#place, session, options.mode === undefined || options.mode === 'exclusive');
    let isSaved = false;
    try {
      const used = inScope(frame, () => use(session.state as never, session as never));
      const result = isThenable(used) ? await used : used;
      if (session.closed) return result; // the use has ended it: there is no state to copy from
      const copied = withoutState(result);
      checkGiven(copied);
      await endScope(session);
      isSaved = true;
      return copied;
    } catch (error) {
      if (options.retry === undefined || options.retry === 0 || !wasRefused(session, error)) throw error;
    } finally {
      frame.session = undefined;
      if (!isSaved) await session.close();
    }
    const again = { ...options, mode: 'optimistic', retry: options.retry - 1 } as const;
    return this.scope(id, use as (state: S) => R | Promise<R>, again);
  }

  /**
   * Locks and opens the session. `ERR_NOT_FOUND` when there is none and `create` does not make one: an id that a client
   * sends is no reason to. Close it (but for one that was opened with `mode: 'read'`: nothing is lost with it).
   */
  async open(id: string, options: ReadOptions): Promise<Session<DeepReadonly<S>, V>>;
  async open(id: string, options?: UseOptions<V>): Promise<Session<S, V>>;
  async open(id: string, options: AnyUse<V> = {}): Promise<Session<object, V>> {
    const session = await this.#open(id, options, this.open);
    return options.mode === 'read' ? session : this.#saved(session);
  }

  /** No promise: it was here. */
  #open(
    id: string,
    options: AnyUse<V>,
    method: (...given: never[]) => unknown,
  ): Session<S, V> | Promise<Session<S, V>> {
    const place = this.#unclosed.place(method);
    const isScope = method === this.scope;
    checkOptions(isScope ? 'scope' : 'open', options, isScope ? SCOPE_RULES : USE_RULES);
    checkMode(isScope ? 'scope' : 'open', options);
    const values = this.#checkCreate(options.create);
    const { mode = 'exclusive' } = options;
    const here = mode === 'exclusive' ? this.#claims.take(id, options, place) : undefined;
    return here === undefined ? this.#openThere(id, options, values, place) : this.#session(here, false, options);
  }

  async #openThere(
    id: string,
    options: AnyUse<V>,
    values: Values | undefined,
    place: string | undefined,
  ): Promise<Session<S, V>> {
    const { mode = 'exclusive' } = options;
    const claimed = await (mode === 'exclusive'
      ? this.#claims.claim(id, options, values === undefined, place)
      : this.#claims.look(id, options, mode, place));
    const { replica } = claimed;
    if (replica.exists) return this.#session(claimed, false, options);
    if (replica.state !== 'ended' && values !== undefined) return this.#created(claimed, values, options);
    await claimed.end('keep', undefined);
    if (replica.state === 'ended')
      throw new HoldfastError('ERR_NOT_FOUND', `session '${shortId(id)}' was destroyed; begin another under a new id`, {
        session: id,
        endedAt: replica.head.time,
      });
    throw new HoldfastError(
      'ERR_NOT_FOUND',
      `there is no session '${shortId(id)}': make one with create(), or with the option \`create\` if its id is yours`,
      { session: id },
    );
  }

  /** First values, or undefined: not to be created. */
  #checkCreate(create: V | boolean | undefined): Values | undefined {
    if (create === undefined || create === false) return undefined;
    return valuesOf(this.definition, 'the option create', create === true ? {} : create, () => true);
  }

  /** As `open`, but undefined when there is no such session, or when it was destroyed. */
  async find(id: string, options: Opening = {}): Promise<Session<S, V> | undefined> {
    const place = this.#unclosed.place(this.find);
    checkOptions('find', options, FIND_RULES);
    const claimed = this.#claims.take(id, options, place) ?? (await this.#claims.claim(id, options, true, place));
    if (claimed.replica.exists) return this.#saved(this.#session(claimed, false, options));
    await claimed.end('keep', undefined);
    return undefined;
  }

  /**
   * A new session with first values, not saved yet; `undefined` is none. Without an id it gets a random one of 144 bits. `ERR_CONFLICT` if
   * it exists.
   */
  async create(...[values, options = {}]: CreateArguments<V>): Promise<Session<S, V>> {
    const place = this.#unclosed.place(this.create);
    const first = valuesOf(this.definition, 'create', values === undefined ? {} : values, () => true);
    checkOptions('create', options, CREATE_RULES);
    const claimed = await this.#claims.claimNew(options.id ?? this.#line.draws.id(), options, place);
    return this.#saved(await this.#created(claimed, first, options));
  }

  async #created(claimed: Claimed, values: Values, access: Access): Promise<Session<S, V>> {
    const session = this.#session(claimed, true, access);
    try {
      session.assign(firstValues(this.definition, this.#line.codec, values) as Partial<V>);
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  /** The state as last saved, as plain values of the caller's own, without a lock. Undefined: no such session. */
  async read(id: string): Promise<CopiedState<S, V> | undefined> {
    this.#checkOpen();
    if (!isPossible(id)) return undefined;
    const replica = await this.#claims.newest(id);
    if (!replica.exists) return undefined;
    const slots = new Slots(replica.image, this.#line.codec, this.definition);
    const seen = slots.names().filter((name) => specOf(this.definition, name) !== undefined);
    return Object.fromEntries(seen.map((name) => [name, slots.get(name)])) as CopiedState<S, V>;
  }

  /** What a session shows that nobody has written to yet, to be read only. */
  initial(): DeepReadonly<S> {
    const nobody = unlocked(new Replica(NOBODY), undefined);
    return this.#session(nobody, false, { mode: 'read' }).state as DeepReadonly<S>;
  }

  /** Destroys the session everywhere, also one that cannot be read (damaged, over the limit); false: there was none. */
  async delete(id: string, options: AcquireOptions = {}): Promise<boolean> {
    checkOptions('delete', options, ACQUIRE_RULES);
    const place = this.#unclosed.place(this.delete);
    const claimed = this.#claims.take(id, options, place) ?? (await this.#claims.claimHead(id, options, place));
    const { exists } = claimed.replica;
    if (exists) await destroy(this.#line, claimed, { keptMs: this.#context.tombstoneTtlMs, alias: undefined });
    else await claimed.end('keep', undefined);
    return exists;
  }

  /** Moves a session to a new id; see `Session.changeId`. False: there was none. */
  async changeId(id: string, newId: string, options: ChangeIdOptions = {}): Promise<boolean> {
    checkOptions('changeId', options, CHANGE_ID_RULES);
    const { timeoutMs, holdMs, signal } = options;
    const session = await this.find(id, { timeoutMs, holdMs, signal });
    if (session === undefined) return false;
    try {
      await session.changeId(newId, options);
      return true;
    } finally {
      await session.close();
    }
  }

  /**
   * Reads the session back from every backup, checks each record and the digest, and compares with the primary.
   * `behind`: not fed yet; `ahead`: it has what the primary does not have (any more): an event of `catchUp(id)` says
   * how to go on; `damaged`: `backups.catchUp(id)` replaces it; `unreachable`: it does not answer. Saves that run
   * meanwhile make a backup look behind.
   */
  async verifyBackups(id: string): Promise<BackupVerdict[]> {
    this.#checkOpen();
    return verifyBackups(this.#line, id);
  }

  /** Ids of the sessions in the primary, in no promised order. */
  async *ids(): AsyncIterable<string> {
    this.#checkOpen();
    const { store, call } = this.#line;
    let cursor: string | undefined;
    do {
      const page = await store.list({ cursor, limit: 1000 }, call);
      yield* page.ids;
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  /**
   * After `ERR_FENCED`, outcome `superseded`, every save is refused: a backup was promoted. Asks all stores for their
   * epochs again; saves go on if no backup has a later one than the primary (the old world was brought back on
   * purpose), else this rejects with `ERR_FENCED`.
   */
  rejoin(): Promise<void> {
    return this.backups.rejoin();
  }

  /**
   * Begins nothing new (`ERR_CLOSED`, also for who waits for a lock), hands idle locks on, and waits for uses under
   * way, for saves of unknown outcome, and for the backups, all together for so long. Tells what had not come to an end
   * in time. The stores are the caller's to close.
   */
  async close(options: CloseOptions = {}): Promise<ClosedReport> {
    checkOptions('close', options, { timeoutMs: timeout });
    return closeAll(this.#line, this.#claims, options.timeoutMs ?? this.#line.call.timeoutMs);
  }

  #checkOpen(): void {
    if (this.#claims.closed) throw repositoryClosed();
  }

  /** Now and then, where that was asked for: not within a scope, of which nothing is saved when it throws. */
  #saved(session: Session<S, V>): Session<S, V> {
    if (this.#autosave !== undefined) autosave(session, this.#autosave, this.#line.clock, this.#line.observers);
    return session;
  }

  #session(claimed: Claimed, create: boolean, access: Access): Session<S, V> {
    const kept = create || !claimed.locked ? undefined : this.#claims.takeSlots(claimed.replica);
    const fixed = access.mode === 'read' ? READ_ONLY : undefined;
    const terms = { begins: create, fixed, keptBase: claimed.locked ? this.#context.keptBase : undefined };
    const slots = kept ?? new Slots(claimed.replica.image, this.#line.codec, this.definition, terms);
    return new Session<S, V>(this.#context, { claimed, slots, create, access });
  }
}

/** Names the state of no session, in messages. */
const NOBODY = 'no session';
/** The end of a sentence. */
const READ_ONLY = "is read-only, as the session was opened with mode 'read': open it without";
