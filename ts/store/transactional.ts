import { SteadyTime } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { Position } from '../position.ts';
import { EPOCHS } from '../token.ts';
import type { Token } from '../token.ts';
import { checkAbove, checkAppend, checkIds, checkImage, checkList, noEpoch } from './arguments.ts';
import { checkListener, checkLock, checkRead, checkSweep, checkTouch, checkUnlock } from './arguments.ts';
import type { About, Backend, Draft, View } from './backend.ts';
import { Calls } from './calls.ts';
import type { Deadline } from './deadline.ts';
import type { LockOwner } from './lock.ts';
import { lockView } from './lock-row.ts';
import { rowAt } from './moment.ts';
import type { Moment } from './moment.ts';
import { headOf, tailOf } from './reads.ts';
import { ownedAppend } from './owned.ts';
import { Sweeper } from './sweeper.ts';
import type { SweepOptions } from './sweeper.ts';
import type { Append, Appended, CallOptions, Capabilities, Hint, ListQuery, LockReply, LockRequest } from './store.ts';
import type {
  Membership,
  Page,
  ReadRequest,
  SessionImage,
  Store,
  SweepRequest,
  Tail,
  Touch,
  Touched,
} from './store.ts';
import { lock, look, sweepView, touch, unlock } from './uses.ts';
import { append, replace } from './writes.ts';
import type { Outcome } from './writes.ts';

export interface TransactionalOptions extends SweepOptions {
  readonly clock: Clock;
  readonly can: Capabilities;
  /** The bound of a call that names none, in ms. */
  readonly boundMs: number;
  /** The machine's run, where rows outlive it. */
  readonly boot?: string | undefined;
}

/** The store contract over any backend with transactions on one machine. */
export class TransactionalStore implements Store {
  readonly can: Capabilities;
  readonly #backend: Backend;
  readonly #calls: Calls;
  readonly #time: SteadyTime;
  readonly #boot: string | undefined;
  readonly #sweeper: Sweeper;
  #closing: Promise<void> | undefined;

  constructor(backend: Backend, options: TransactionalOptions) {
    this.can = options.can;
    this.#backend = backend;
    this.#calls = new Calls(backend.name, options.clock, options.boundMs);
    this.#time = new SteadyTime(options.clock);
    this.#boot = options.boot;
    this.#sweeper = new Sweeper(this, options.clock, options);
  }

  async read(id: string, request: ReadRequest, options?: CallOptions): Promise<Tail> {
    const deadline = this.#calls.beginFor(id, options);
    checkRead(request);
    const moment = this.#moment();
    const owned = { ...request, since: { ...request.since } };
    return this.#read(
      { id, whole: asksForAll(owned) },
      (view) => tailOf(view, id, rowAt(view, id, moment), owned, moment),
      deadline,
    );
  }

  append(id: string, request: Append, options?: CallOptions): Promise<Appended> {
    return this.#change(id, options, () => {
      checkAppend(id, request, this.can);
      const owned = ownedAppend(request);
      return { run: (draft) => append(draft, id, owned, this.#moment()) };
    });
  }

  replace(id: string, image: SessionImage, expected: Position | undefined, options?: CallOptions): Promise<Appended> {
    return this.#change(id, options, () => {
      checkImage(id, image, expected);
      const records = image.records.map((record) => ({
        ...record,
        position: { ...record.position },
        bytes: new Uint8Array(record.bytes),
      }));
      const owned = { ...image, records, expiry: { ...image.expiry }, terms: image.terms && [...image.terms] };
      const place = expected && { ...expected };
      return { run: (draft) => replace(draft, id, owned, place, this.#moment()) };
    });
  }

  lock(id: string, request: LockRequest, options?: CallOptions): Promise<LockReply> {
    return this.#change(id, options, () => {
      checkLock(request);
      const owned = { ...request, since: { ...request.since } };
      return { run: (draft) => lock(draft, id, owned, this.#moment()), whole: asksForAll(owned) };
    });
  }

  unlock(id: string, who: { readonly token: Token } | LockOwner, options?: CallOptions): Promise<void> {
    return this.#change(id, options, () => {
      checkUnlock(who);
      const owned = { ...who };
      return { run: (draft) => unlock(draft, id, owned, this.#moment()) };
    });
  }

  touch(id: string, use: Touch, options?: CallOptions): Promise<Touched> {
    return this.#change(id, options, () => {
      checkTouch(use);
      const owned = { ...use, expiry: use.expiry && { ...use.expiry } };
      return { run: (draft) => touch(draft, id, owned, this.#moment()) };
    });
  }

  async join(listener: (hint: Hint) => void, options?: CallOptions): Promise<Membership> {
    const deadline = this.#calls.begin(options);
    checkListener(listener);
    // As one: `close` waits for all of it.
    return this.#calls.track(this.#join(listener, deadline));
  }

  async #join(listener: (hint: Hint) => void, deadline: Deadline): Promise<Membership> {
    const { epoch } = await this.#read(undefined, (view) => view.marks(), deadline);
    const joining = this.#backend.join(listener);
    const { member, watch, leave } = await deadline.bound(joining).catch((error: unknown) => {
      joining.then(
        (late) => late.leave(),
        () => undefined,
      ); // nobody learns of its name any more
      throw error;
    });
    return {
      member,
      epoch,
      watch: async (ids, watchOptions) => {
        const bound = this.#calls.begin(watchOptions);
        if (!this.can.watch)
          throw new HoldfastError(
            'ERR_INVALID',
            `the ${this.#backend.name} store cannot watch: ask store.can.watch first`,
          );
        checkIds(ids);
        await bound.bound(watch(ids));
      },
      leave: async (leaveOptions) => (this.#calls.closed ? leave() : this.#calls.begin(leaveOptions).bound(leave())),
    };
  }

  async list(query: ListQuery, options?: CallOptions): Promise<Page> {
    const deadline = this.#calls.begin(options);
    checkList(query);
    const moment = this.#moment();
    const look = (view: View): Page => {
      const page = view.page(query);
      return { ...page, ids: page.ids.filter((id) => isListed(view, id, query.term, moment)) };
    };
    return this.#read(query, look, deadline);
  }

  async inspect(id: string, options?: CallOptions): ReturnType<Store['inspect']> {
    const deadline = this.#calls.beginFor(id, options);
    const moment = this.#moment();
    const look = (view: View): Awaited<ReturnType<Store['inspect']>> => {
      const row = rowAt(view, id, moment);
      return {
        head: headOf(row, moment),
        lock: row === undefined ? { queue: [] } : lockView(row.lock, moment.monotonic),
      };
    };
    return this.#read({ id }, look, deadline);
  }

  async sweep(request: SweepRequest, options?: CallOptions): ReturnType<Store['sweep']> {
    const deadline = this.#calls.begin(options);
    checkSweep(request);
    return this.#calls.track(this.#sweep(request, deadline)); // as one: `close` waits for all of it
  }

  async #sweep({ cursor, limit, graceMs }: SweepRequest, deadline: Deadline): ReturnType<Store['sweep']> {
    const moment = this.#moment();
    const query = { limit, ...(cursor !== undefined && { cursor }) };
    const { page, due, births } = await this.#read(query, (view) => lookAhead(view, query, graceMs, moment), deadline);
    // What is deleted must not begin again: the mark is there before the first row goes.
    if (births > 0) await this.#calls.track(this.#backend.raise(() => ({ births }), deadline));
    // Offered at once, so that a backend can commit them together.
    const looks = due.map((id) =>
      this.#calls
        .track(this.#backend.write({ id }, (draft) => look(draft, id, graceMs, moment), deadline))
        .catch(passDamage),
    );
    const swept = (await Promise.all(looks)).filter(Boolean).length;
    return { swept, ...(page.cursor !== undefined && { cursor: page.cursor }) };
  }

  async promote(above: number, options?: CallOptions): Promise<{ readonly epoch: number }> {
    const deadline = this.#calls.begin(options);
    checkAbove(above);
    const raising = this.#backend.raise((marks) => ({ epoch: nextEpoch(Math.max(above, marks.epoch)) }), deadline);
    return { epoch: (await this.#calls.track(raising)).epoch };
  }

  async ping(options?: CallOptions): Promise<{ readonly epoch: number }> {
    const deadline = this.#calls.begin(options);
    const { epoch } = await this.#read(undefined, (view) => view.marks(), deadline);
    return { epoch };
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#sweeper.stop();
    await this.#calls.close();
    await this.#backend.close();
  }

  /** `begin` checks the request and makes a copy of it, within the call. */
  async #change<Reply>(id: string, options: CallOptions | undefined, begin: () => Change<Reply>): Promise<Reply> {
    const deadline = this.#calls.beginFor(id, options);
    const { run, whole } = begin();
    this.#calls.enter();
    try {
      const { reply, notices, written } = await this.#backend.write({ id, whole }, run, deadline);
      for (const { kind, member, token } of notices) this.#backend.send(member, { kind, id, token });
      if (written === true && this.can.watch) this.#backend.changed(id);
      return reply;
    } finally {
      this.#calls.leave();
    }
  }

  #read<T>(about: About | ListQuery | undefined, run: (view: View) => T, deadline: Deadline): Promise<T> {
    return this.#calls.track(this.#backend.read(about, run, deadline));
  }

  #moment(): Moment {
    const { monotonic, wall, stamp } = this.#time.look();
    return { monotonic, wall, stamp, boot: this.#boot };
  }
}

/** Who knows nothing of it wants all of it. */
const asksForAll = ({ since, limitBytes }: ReadRequest): boolean => since.revision === 0 && limitBytes !== 0;

/** What a call that writes is to do, once. */
interface Change<Reply> {
  readonly run: (draft: Draft) => Outcome<Reply>;
  /** See `About`. */
  readonly whole?: boolean | undefined;
}

function nextEpoch(above: number): number {
  if (above + 1 < EPOCHS) return above + 1;
  throw noEpoch(above);
}

interface Ahead {
  readonly page: Page;
  /** Those that a look is due for. */
  readonly due: readonly string[];
  /** What births must be raised to before they go; 0: nothing goes. */
  readonly births: Token;
}

/** A page of what is to be swept. */
function lookAhead(view: View, query: ListQuery, graceMs: number, moment: Moment): Ahead {
  const page = view.page(query);
  const looks = page.ids.map((id) => ({ id, ...sweepView(view, id, graceMs, moment) })).filter((look) => look.due);
  return { page, due: looks.map(({ id }) => id), births: Math.max(0, ...looks.map((look) => look.births)) };
}

/** A damaged row counts as living, so that whoever reads it learns of the damage; what its terms were nobody knows. */
function isListed(view: View, id: string, term: string | undefined, moment: Moment): boolean {
  try {
    const row = rowAt(view, id, moment);
    return (
      row !== undefined && headOf(row, moment)?.state === 'live' && (term === undefined || row.terms.includes(term))
    );
  } catch {
    return term === undefined;
  }
}

/** A damaged row is left for repair. */
function passDamage(error: unknown): false {
  if (error instanceof HoldfastError && error.code === 'ERR_CORRUPT') return false;
  throw error;
}
