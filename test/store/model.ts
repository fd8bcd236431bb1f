import { SteadyTime } from '../../ts/clock.ts';
import type { Clock } from '../../ts/clock.ts';
import type { Position } from '../../ts/position.ts';
import type { Acquire, Grant, LockOwner, LockView } from '../../ts/store/lock.ts';
import type {
  Append,
  Appended,
  Expiry,
  Head,
  HeadState,
  Hint,
  ImageRecord,
  LockReply,
  LockRequest,
  ReadRequest,
  SessionImage,
  Tail,
  Touch,
  Touched,
} from '../../ts/store/store.ts';

/**
 * The store contract in plain memory, as plainly as it can be said, and without a thought for cost: what every store
 * must answer.
 */

interface Place extends LockOwner {
  leaseMs: number;
  until: number;
}

interface Session {
  token: number;
  log: ImageRecord[];
  createdAt: number;
  usedAt: number;
  expiry: Expiry;
  terms: readonly string[];
  holder?: (Place & { recalledAt?: number | undefined }) | undefined;
  queue: Place[];
  lookedAt?: number | undefined;
}

export interface Told {
  readonly member: string;
  readonly hint: Hint;
}

const same = (a: Position, b: Position): boolean => a.revision === b.revision && a.nonce === b.nonce;
const sizeOf = (records: readonly ImageRecord[]): number => records.reduce((sum, { bytes }) => sum + bytes.length, 0);
const latestOf = (log: readonly ImageRecord[]): number => log.findLastIndex(({ kind }) => kind !== 'delta');
const ORIGIN = { revision: 0, nonce: 0 };
const FLOOR = 2 ** 32;

export class Model {
  readonly #clock: Clock;
  readonly #time: SteadyTime;
  readonly #sessions = new Map<string, Session>();
  #epoch = 0;
  #births = 0;
  #now = 0;
  #wall = 0;
  #stamp = 0;
  /** Hints since they were last taken. */
  told: Told[] = [];

  readonly #watcher: string | undefined;

  /** `watcher`: the member that watches all. */
  constructor(clock: Clock, watcher: string | undefined) {
    this.#watcher = watcher;
    this.#clock = clock;
    this.#time = new SteadyTime(clock);
  }

  get #birth(): number {
    return Math.max(this.#epoch * FLOOR, this.#births);
  }

  /** One call begins: its time is taken, and what lapsed is gone. */
  #begin(id: string): Session | undefined {
    this.#take();
    const s = this.#sessions.get(id);
    if (s !== undefined && s.token < this.#epoch * FLOOR)
      Object.assign(s, { token: this.#epoch * FLOOR, holder: undefined });
    if (s !== undefined) s.queue = s.queue.filter(({ until }) => until > this.#now);
    return s;
  }

  #take(): void {
    this.#now = this.#clock.monotonic();
    this.#wall = this.#time.now();
    this.#stamp = this.#time.stamp();
  }

  #born(): Session {
    return { token: this.#birth, log: [], createdAt: 0, usedAt: 0, expiry: {}, terms: [], queue: [] };
  }

  #left(s: Session): number {
    return Math.min(s.usedAt + (s.expiry.idleMs ?? Infinity), s.createdAt + (s.expiry.ageMs ?? Infinity)) - this.#wall;
  }

  #state(s: Session): HeadState | 'unwritten' {
    if (s.log.length === 0) return 'unwritten';
    if (this.#left(s) <= 0) return 'expired';
    return s.log.at(-1)?.kind === 'end' ? 'ended' : 'live';
  }

  #position(s: Session | undefined): Position {
    return s?.log.at(-1)?.position ?? ORIGIN;
  }

  #head(s: Session | undefined): Head | undefined {
    const state = s && this.#state(s);
    if (s === undefined || state === undefined || state === 'unwritten') return undefined;
    const [oldest, latest] = [s.log[0], s.log[latestOf(s.log)]] as [ImageRecord, ImageRecord];
    return {
      state,
      position: this.#position(s),
      token: s.token,
      first: oldest.position.revision,
      snapshot: latest.position.revision,
      snapshotBytes: latest.bytes.length,
      deltaBytes: sizeOf(s.log.slice(latestOf(s.log) + 1)),
      createdAt: s.createdAt,
      expiry: s.expiry,
      leftMs: this.#left(s),
    };
  }

  #tail(s: Session | undefined, { since, kept = false, limitBytes = Infinity }: ReadRequest): Tail {
    const head = this.#head(s);
    if (s === undefined || head === undefined || head.state === 'expired') return { head, records: [], whole: true };
    const found = s.log.findIndex(({ position }) => same(position, since));
    const lacking = found < 0 ? s.log.slice(kept ? 0 : latestOf(s.log)) : s.log.slice(found + 1);
    let fitting = limitBytes === 0 ? 0 : lacking.length;
    while (fitting > 1 && sizeOf(lacking.slice(0, fitting)) > limitBytes) fitting -= 1;
    const given = lacking.slice(0, fitting);
    const last = given.at(-1);
    const next = last !== undefined && fitting < lacking.length ? { next: last.position } : {};
    const terms = found < 0 && s.terms.length > 0 ? { terms: s.terms } : {};
    return { head, records: given.map(({ bytes }) => bytes), whole: found < 0, ...next, ...terms };
  }

  read(id: string, request: ReadRequest): Tail {
    return this.#tail(this.#begin(id), request);
  }

  append(id: string, a: Append): Appended | 'ERR_INVALID' {
    if (a.position.revision !== a.parent.revision + 1 || (a.parent.revision === 0 && a.kind !== 'snapshot'))
      return 'ERR_INVALID';
    if (a.begins === true ? a.kind !== 'snapshot' : a.begins === false && a.parent.revision === 0) return 'ERR_INVALID';
    const found = this.#begin(id);
    if (found?.log.some(({ position }) => same(position, a.position)))
      return { appended: true, token: found.token, wanted: found.queue.length > 0 };
    const s = found ?? this.#born();
    const asked = typeof a.under === 'object' ? this.#request(id, s, a.under) : undefined;
    if (asked !== undefined && asked !== true) {
      this.#sessions.set(id, s);
      return { appended: false, why: 'locked', retryMs: asked };
    }
    const token = typeof a.under === 'object' ? s.token : a.under;
    const state = this.#state(s);
    const fits =
      same(this.#position(s), a.parent) &&
      (state === 'live' ||
        state === 'unwritten' ||
        (state === 'expired' && a.kind === 'snapshot' && a.begins !== false));
    if (token < s.token)
      return { appended: false, why: 'fenced', token: s.token, tail: this.#tail(found, { since: a.parent }) };
    if (!fits && asked === undefined)
      return { appended: false, why: 'conflict', token: s.token, tail: this.#tail(found, { since: a.parent }) };
    if (!fits) return this.#conflict(id, s, found !== undefined, a.parent);
    this.#sessions.set(id, s);
    this.#write(id, s, a, token);
    this.#changed(id);
    return { appended: true, token, wanted: s.queue.length > 0 };
  }

  /** The lock was given, but there is nothing that the append could follow. */
  #conflict(id: string, s: Session, existed: boolean, since: Position): Appended {
    const live = this.#state(s) === 'live';
    if (!live) this.#release(id, s);
    if (existed) this.#sessions.set(id, s);
    this.#used(s);
    const token = existed ? s.token : this.#birth;
    return {
      appended: false,
      why: 'conflict',
      token,
      tail: this.#tail(s, { since }),
      ...(live && { grant: this.#grantOf(s) }),
    };
  }

  #write(id: string, s: Session, a: Append, token: number): void {
    const state = this.#state(s);
    if (state === 'unwritten' || state === 'expired' || a.begins === true)
      Object.assign(s, { log: [], createdAt: a.createdAt ?? this.#stamp, expiry: {}, terms: [] });
    s.log = [...s.log, { position: a.position, kind: a.kind, bytes: a.bytes }];
    const oldest = a.first ?? (a.kind === 'delta' ? 0 : a.position.revision);
    s.log = s.log.filter(({ position }, i) => i >= latestOf(s.log) || position.revision >= oldest);
    Object.assign(s, { usedAt: this.#stamp, expiry: a.expiry ?? s.expiry, terms: a.terms ?? s.terms });
    this.#used(s);
    if (token > s.token) Object.assign(s, { token, holder: undefined });
    const lock = a.lock ?? (typeof a.under === 'object' ? 'release' : 'renew');
    if (a.kind === 'end' || (lock === 'release' && s.holder !== undefined)) this.#release(id, s);
    else if (lock === 'renew' && s.holder !== undefined) s.holder.until = this.#now + s.holder.leaseMs;
  }

  #changed(id: string): void {
    if (this.#watcher !== undefined) this.told.push({ member: this.#watcher, hint: { kind: 'changed', id } });
  }

  #used(s: Session): void {
    s.lookedAt = undefined;
  }

  replace(id: string, image: SessionImage, expected: Position | undefined): Appended {
    const s = this.#begin(id);
    const last = this.#position({ ...this.#born(), log: [...image.records] });
    const token = s?.token ?? this.#birth;
    const refusal = (why: 'fenced' | 'conflict'): Appended => ({
      appended: false,
      why,
      token,
      tail: this.#tail(s, { since: last, limitBytes: 0 }),
    });
    if (Math.floor(image.token / FLOOR) < this.#epoch) return refusal('fenced');
    if (expected !== undefined && !same(this.#position(s), expected))
      return same(this.#position(s), last)
        ? { appended: true, token, wanted: (s?.queue.length ?? 0) > 0 }
        : refusal('conflict');
    const next = Math.max(token, image.token) + 1;
    if (s?.holder !== undefined)
      this.told.push({ member: s.holder.member, hint: { kind: 'recall', id, token: s.token } });
    this.#sessions.set(id, {
      token: next,
      log: [...image.records],
      createdAt: image.createdAt,
      usedAt: this.#stamp,
      expiry: image.expiry,
      terms: image.terms ?? [],
      queue: [],
    });
    this.#changed(id);
    return { appended: true, token: next, wanted: false };
  }

  #takeableAt({ until, leaseMs, recalledAt = this.#now }: NonNullable<Session['holder']>): number {
    return Math.max(until, recalledAt + Math.min(250, leaseMs / 4));
  }

  #grant(
    id: string,
    s: Session,
    { member, ticket, leaseMs }: LockOwner & { readonly leaseMs: number },
    tell: boolean,
  ): void {
    s.token += 1;
    s.holder = {
      member,
      ticket,
      leaseMs,
      until: this.#now + leaseMs,
      recalledAt: s.queue.length > 0 ? this.#now : undefined,
    };
    if (tell) this.told.push({ member, hint: { kind: 'grant', id, token: s.token } });
  }

  #release(id: string, s: Session): void {
    s.holder = undefined;
    s.token += 1;
    const next = s.queue.shift();
    if (next !== undefined) this.#grant(id, s, next, true);
  }

  #recall(id: string, s: Session): void {
    if (s.holder === undefined) return;
    s.holder.recalledAt ??= this.#now;
    this.told.push({ member: s.holder.member, hint: { kind: 'recall', id, token: s.token } });
  }

  /** True: it has the lock. Else when to ask again. */
  #request(id: string, s: Session, a: Acquire): true | number {
    const again = (): number => {
      const ms = s.holder === undefined ? 0 : Math.max(0, this.#takeableAt(s.holder) - this.#now);
      return a.wait ? Math.min(ms, a.leaseMs / 2) : ms;
    };
    const place = s.queue.find(({ member }) => member === a.member);
    const held = s.holder?.member === a.member ? s.holder : undefined;
    if (a.ticket < ((held ?? place)?.ticket ?? 0)) return again();
    const takeable = s.holder !== undefined && this.#now >= this.#takeableAt(s.holder);
    if (held !== undefined && !(takeable && s.queue.length > 0)) {
      this.#confirm(id, s, held, a);
      return true;
    }
    if (takeable) s.holder = undefined;
    const free = s.holder === undefined;
    const lapsed = s.holder !== undefined && s.holder.until <= this.#now;
    const seat = { member: a.member, ticket: a.ticket, leaseMs: a.leaseMs, until: this.#now + a.leaseMs };
    if (place !== undefined && (a.wait || free)) Object.assign(place, seat);
    else if (a.wait || (free && s.queue.length === 0)) s.queue.push(seat);
    const next = free ? s.queue.shift() : undefined;
    if (next !== undefined) this.#grant(id, s, next, next.member !== a.member);
    this.#used(s);
    if (s.holder?.member === a.member) return true;
    if (a.wait || lapsed) this.#recall(id, s);
    return again();
  }

  #confirm(id: string, s: Session, held: NonNullable<Session['holder']>, a: Acquire): void {
    const leftMs = held.until - this.#now;
    if (a.ticket === held.ticket && leftMs > 0) {
      if (leftMs * 2 <= held.leaseMs) held.until = this.#now + held.leaseMs;
      return;
    }
    this.#grant(id, s, a, false);
    if (s.holder !== undefined && s.queue.length > 0) s.holder.recalledAt = held.recalledAt ?? this.#now;
    this.#used(s);
  }

  #grantOf(s: Session): Grant {
    return { token: s.token, leaseLeftMs: (s.holder?.until ?? this.#now) - this.#now, wanted: s.queue.length > 0 };
  }

  lock(id: string, request: LockRequest): LockReply {
    const found = this.#begin(id);
    if (request.existing === true && (found === undefined || this.#state(found) !== 'live'))
      return { granted: false, retryMs: 0, tail: this.#tail(found, request) };
    const s = found ?? this.#born();
    this.#sessions.set(id, s);
    const asked = this.#request(id, s, request);
    return asked === true
      ? { granted: true, ...this.#grantOf(s), tail: this.#tail(s, request) }
      : { granted: false, retryMs: asked };
  }

  unlock(id: string, who: { readonly token: number } | LockOwner): void {
    const s = this.#begin(id);
    if (s === undefined) return;
    const holds =
      s.holder !== undefined &&
      ('member' in who ? s.holder.member === who.member && s.holder.ticket <= who.ticket : s.token === who.token);
    if (holds) this.#release(id, s);
    else if ('member' in who)
      s.queue = s.queue.filter(({ member, ticket }) => member !== who.member || ticket > who.ticket);
    if (holds) this.#used(s);
  }

  touch(id: string, { token, renew = false, expiry }: Touch): Touched {
    const s = this.#begin(id);
    const fenced =
      token < this.#epoch * FLOOR ||
      (renew && (s?.holder === undefined || s.token !== token)) ||
      (expiry !== undefined && token < (s?.token ?? this.#birth));
    const wanted = (s?.queue.length ?? 0) > 0;
    if (fenced) return { touched: false, why: 'fenced', head: this.#head(s), wanted };
    if (s !== undefined && renew && s.holder !== undefined) s.holder.until = this.#now + s.holder.leaseMs;
    if (s !== undefined && renew) this.#used(s);
    if (s === undefined || this.#state(s) !== 'live')
      return { touched: false, why: 'gone', head: this.#head(s), wanted };
    Object.assign(s, { usedAt: this.#stamp, expiry: expiry ?? s.expiry });
    this.#used(s);
    return { touched: true, leftMs: this.#left(s), wanted };
  }

  inspect(id: string): { head: Head | undefined; lock: LockView } {
    const s = this.#begin(id);
    const holder = s?.holder && {
      member: s.holder.member,
      leaseLeftMs: s.holder.until - this.#now,
      recalled: s.holder.recalledAt !== undefined,
    };
    const queue = (s?.queue ?? []).map(({ member, until }) => ({ member, leftMs: until - this.#now }));
    return { head: this.#head(s), lock: { ...(holder && { holder }), queue } };
  }

  list(term: string | undefined): string[] {
    this.#take();
    return [...this.#sessions]
      .filter(([, s]) => this.#state(s) === 'live' && (term === undefined || s.terms.includes(term)))
      .map(([id]) => id)
      .toSorted();
  }

  sweep(graceMs: number): number {
    const due = [...this.#sessions.keys()].filter((id) => {
      const s = this.#begin(id) as Session;
      const unused =
        ['expired', 'unwritten'].includes(this.#state(s)) &&
        s.queue.length === 0 &&
        (s.holder === undefined || s.holder.until <= this.#now);
      const seen = unused && s.lookedAt !== undefined && this.#now - s.lookedAt >= graceMs;
      s.lookedAt = unused ? (s.lookedAt ?? this.#now) : undefined;
      return seen;
    });
    for (const id of due) {
      this.#births = Math.max(this.#births, (this.#sessions.get(id)?.token ?? 0) + 1);
      this.#sessions.delete(id);
    }
    return due.length;
  }

  promote(above: number): number {
    return (this.#epoch = Math.max(this.#epoch, above) + 1);
  }
}
