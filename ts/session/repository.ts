import { Backups } from '../backup/backups.ts';
import { SteadyTime, systemClock } from '../clock.ts';
import { msgpackCodec } from '../codec/msgpack.ts';
import { within } from '../deadline.ts';
import { loadDiffer } from '../diff/engine.ts';
import type { Engine } from '../diff/differ.ts';
import { Draws, systemEntropy } from '../entropy.ts';
import { HoldfastError, shortId } from '../errors.ts';
import { DEFAULT_LEASE_MS } from '../lock/member-locks.ts';
import type { AcquireOptions } from '../lock/member-locks.ts';
import { Observers } from '../observe.ts';
import type { Listener } from '../observe.ts';
import { checkOptions, timeout } from '../options.ts';
import { bounded } from '../store/bounded.ts';
import type { Expiry, Store } from '../store/store.ts';
import type { Line } from '../sync/line.ts';
import type { Replica } from '../sync/replica.ts';
import { logReader } from '../sync/log-reader.ts';
import { withoutState } from '../tracking/tracker.ts';
import { autosave } from './autosave.ts';
import type { AutosaveOptions } from './autosave.ts';
import { Claims, MOST_ALIASES } from './claims.ts';
import type { Claimed } from './claims.ts';
import type { SessionContext } from './context.ts';
import { classOf, specOf } from './definition.ts';
import type { CopiedState, SessionDefinition } from './definition.ts';
import { isPossible } from './ids.ts';
import { frameOf, inScope } from './nesting.ts';
import type {
  ChangeIdOptions,
  CloseOptions,
  ClosedReport,
  CreateArguments,
  RepositoryOptions,
  UseOptions,
} from './options.ts';
import { ACQUIRE_RULES, CHANGE_ID_RULES, CREATE_RULES, USE_RULES, checkRepository } from './rules.ts';
import { Session } from './session.ts';
import { Slots } from './slots.ts';
import { UnclosedSessions } from './unclosed.ts';
import { checkGiven, checkUse, isThenable } from './use.ts';
import { firstValues, valuesOf } from './values.ts';
import type { Values } from './values.ts';
import { readBack, verifyBackups } from './verification.ts';
import type { BackupVerdict } from './verification.ts';

/**
 * Opens sessions that live in a store. One per process and store is enough; it is a member of the cluster of all that
 * share the store.
 */
export class SessionRepository<S extends object, V extends object = Partial<S>> {
  readonly #line: Line;
  /** The store as the caller knows it. */
  readonly #place: Store;
  readonly #claims: Claims;
  readonly #definition: SessionDefinition<object, object>;
  readonly #engineAsked: boolean;
  readonly #autosave: AutosaveOptions | undefined;
  readonly #unclosed: UnclosedSessions;
  readonly #context: SessionContext;
  readonly backups: Backups;

  constructor(options: RepositoryOptions<S, V>) {
    checkRepository(options);
    const { clock = systemClock } = options;
    const observers = new Observers(clock);
    const time = new SteadyTime(clock, (jumpMs) => observers.emit('clock-jump', () => ({ jumpMs })));
    const call = { timeoutMs: options.storeTimeoutMs ?? 5000 };
    const store = bounded(options.store, clock, call.timeoutMs, 'the store');
    this.#place = options.store;
    const limitBytes = options.limitBytes ?? 16 * 1024 * 1024;
    const differ = loadDiffer(options.engine);
    const reader = logReader({ differ, limitBytes, clock, time });
    this.backups = new Backups(options.backups ?? [], {
      primary: store,
      clock,
      observers,
      reader,
      call,
      onRestored: (id) => this.#claims.doubt(id),
    });
    this.#line = {
      codec: msgpackCodec,
      differ,
      differencing: options.differencing ?? 'binary',
      compress: options.compress ?? 'auto',
      store,
      backups: this.backups,
      limitBytes,
      expiry: ruleOf(options),
      clock,
      time,
      draws: new Draws(options.entropy ?? systemEntropy),
      observers,
      unsettled: new Set(),
      call,
    };
    this.#engineAsked = (options.engine ?? (process.env['HOLDFAST_ENGINE'] || undefined)) !== undefined;
    this.#definition = options.definition;
    const cacheBytes = options.cacheBytes ?? 64 * 1024 * 1024;
    this.#claims = new Claims(this.#line, options.store, options.lock ?? {}, cacheBytes, () =>
      this.#unclosed.notePlaces(),
    );
    this.#autosave = options.autosave;
    this.#unclosed = new UnclosedSessions(observers, clock === systemClock ? clock : undefined);
    this.#context = {
      line: this.#line,
      definition: this.#definition,
      classOf: (name) => classOf(this.#definition, name),
      saveMode: options.saveMode ?? 'write',
      tombstoneTtlMs: options.tombstoneTtlMs ?? 24 * 3_600_000,
      leaseMs: options.lock?.leaseMs ?? DEFAULT_LEASE_MS,
      claimNew: (id, given, place) => this.#claims.claimNew(id, given, place),
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
   * it was destroyed.
   */
  async scope<R>(
    id: string,
    use: (state: S, session: Session<S, V>) => R | Promise<R>,
    options: UseOptions<V> = {},
  ): Promise<R> {
    checkUse(use);
    const opened = this.#open(id, options, this.scope);
    const session = opened instanceof Session ? opened : await opened;
    const frame = frameOf(this.#place, session);
    let isLastSave = false;
    try {
      const used = inScope(frame, () => use(session.state, session));
      const result = isThenable(used) ? await used : used;
      if (session.closed) return result; // the use has ended it: there is no state to copy from
      const copied = withoutState(result);
      checkGiven(copied);
      isLastSave = true;
      await session.saveAndClose();
      return copied;
    } finally {
      frame.session = undefined;
      if (!isLastSave) await session.close();
    }
  }

  /**
   * Locks and opens the session. `ERR_NOT_FOUND` when there is none and `create` does not make one: an id that a client
   * sends is no reason to. Close it.
   */
  async open(id: string, options: UseOptions<V> = {}): Promise<Session<S, V>> {
    return this.#saved(await this.#open(id, options, this.open));
  }

  /** No promise: it was here. */
  #open(
    id: string,
    options: UseOptions<V>,
    method: (...given: never[]) => unknown,
  ): Session<S, V> | Promise<Session<S, V>> {
    const place = this.#unclosed.place(method);
    checkOptions(method === this.scope ? 'scope' : 'open', options, USE_RULES);
    const values = this.#checkCreate(options.create);
    const here = this.#claims.take(id, options, place);
    return here === undefined ? this.#openThere(id, options, values, place) : this.#session(here, false);
  }

  async #openThere(
    id: string,
    options: UseOptions<V>,
    values: Values | undefined,
    place: string | undefined,
  ): Promise<Session<S, V>> {
    const claimed = await this.#claims.claim(id, options, values === undefined, place);
    const { replica } = claimed;
    if (replica.exists) return this.#session(claimed, false);
    if (replica.state !== 'ended' && values !== undefined) return this.#created(claimed, values);
    await claimed.end('keep', undefined);
    if (replica.state === 'ended')
      throw new HoldfastError('ERR_NOT_FOUND', `session '${shortId(id)}' was destroyed; begin another under a new id`, {
        session: id,
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
    return valuesOf(this.#definition, 'the option create', create === true ? {} : create, () => true);
  }

  /** As `open`, but undefined when there is no such session, or when it was destroyed. */
  async find(id: string, options: AcquireOptions = {}): Promise<Session<S, V> | undefined> {
    const place = this.#unclosed.place(this.find);
    checkOptions('find', options, ACQUIRE_RULES);
    const claimed = this.#claims.take(id, options, place) ?? (await this.#claims.claim(id, options, true, place));
    if (claimed.replica.exists) return this.#saved(this.#session(claimed, false));
    await claimed.end('keep', undefined);
    return undefined;
  }

  /**
   * A new session with first values, not saved yet; `undefined` is none. Without an id it gets a random one of 144 bits. `ERR_CONFLICT` if
   * it exists.
   */
  async create(...[values, options = {}]: CreateArguments<V>): Promise<Session<S, V>> {
    const place = this.#unclosed.place(this.create);
    const first = valuesOf(this.#definition, 'create', values === undefined ? {} : values, () => true);
    checkOptions('create', options, CREATE_RULES);
    const claimed = await this.#claims.claimNew(options.id ?? this.#line.draws.id(), options, place);
    return this.#saved(await this.#created(claimed, first));
  }

  async #created(claimed: Claimed, values: Values): Promise<Session<S, V>> {
    const session = this.#session(claimed, true);
    try {
      session.assign(firstValues(this.#definition, this.#line.codec, values) as Partial<V>);
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
    let replica = await this.#readBack(id);
    for (
      let hops = 0, at = this.#claims.livesOnAs(replica);
      at !== undefined && hops < MOST_ALIASES;
      hops += 1, at = this.#claims.livesOnAs(replica)
    ) {
      replica = await this.#readBack(at);
    }
    if (!replica.exists) return undefined;
    const slots = new Slots(replica.image, this.#line.codec, this.#definition);
    const seen = slots.names().filter((name) => specOf(this.#definition, name) !== undefined);
    return Object.fromEntries(seen.map((name) => [name, slots.get(name)])) as CopiedState<S, V>;
  }

  async #readBack(id: string): Promise<Replica> {
    try {
      return await readBack(this.#line, this.#line.store, id);
    } catch (error) {
      this.#claims.noteDamage(id, error);
      throw error;
    }
  }

  /** Destroys the session everywhere; false: there was none. */
  async delete(id: string, options: AcquireOptions = {}): Promise<boolean> {
    checkOptions('delete', options, ACQUIRE_RULES);
    const session = await this.find(id, options);
    try {
      await session?.delete();
    } finally {
      await session?.close();
    }
    return session !== undefined;
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
    const { clock, call, unsettled } = this.#line;
    const until = clock.monotonic() + (options.timeoutMs ?? call.timeoutMs);
    const inTime = (work: Promise<unknown>): Promise<unknown> =>
      within(clock, Math.max(1, until - clock.monotonic()), 'what is under way', () => work).catch(() => undefined);
    this.backups.close();
    await inTime(this.#claims.close());
    await inTime(this.#claims.idle());
    await inTime(Promise.all([...unsettled].map(({ done }) => done)));
    const left = [...unsettled];
    for (const one of left) one.stop();
    await inTime(this.backups.drain());
    const { open } = this.#claims;
    if (open.length === 0) this.#claims.clear();
    return { unsettled: left.map(({ id }) => id), open, unfed: this.backups.unfed() };
  }

  #checkOpen(): void {
    if (this.#claims.closed) throw new HoldfastError('ERR_CLOSED', 'the session repository is closed');
  }

  /** Now and then, where that was asked for: not within a scope, of which nothing is saved when it throws. */
  #saved(session: Session<S, V>): Session<S, V> {
    if (this.#autosave !== undefined) autosave(session, this.#autosave, this.#line.clock, this.#line.observers);
    return session;
  }

  #session(claimed: Claimed, create: boolean): Session<S, V> {
    const kept = create ? undefined : this.#claims.takeSlots(claimed.replica);
    const slots = kept ?? new Slots(claimed.replica.image, this.#line.codec, this.#definition, create);
    return new Session<S, V>(this.#context, { claimed, slots, create });
  }
}

function ruleOf({
  ttlMs,
  maxAgeMs,
}: Pick<RepositoryOptions<object, object>, 'ttlMs' | 'maxAgeMs'>): Expiry | undefined {
  return ttlMs === undefined && maxAgeMs === undefined ? undefined : { idleMs: ttlMs, ageMs: maxAgeMs };
}
