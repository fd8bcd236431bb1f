import { crc32 } from 'node:zlib';
import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { Append, Appended, Head, ImageRecord, LockReply, Store, Tail, Touched } from '../store/store.ts';
import type { Answer, CallMark, HeadMark, Mark, Outcome, Request, TailMark, UseMark, Written } from './mark.ts';

export type Sink = (mark: Mark) => void;

export interface RecorderOptions {
  /** This process; another name for each start. */
  readonly who: string;
  readonly clock: Clock;
  readonly sink: Sink;
  /** The clock that expiries are judged by, in ms; absent: `clock.now`. */
  readonly wall?: (() => number) | undefined;
}

type Asked = Pick<CallMark, 'store' | 'role' | 'id' | 'request'>;

/** What a use does, as its first mark has it. */
export type UseStart = Pick<UseMark, 'store' | 'id' | 'ends' | 'to' | 'graceMs' | 'restores'>;

/** Writes down what one process asks of stores and what its application does. */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #wall: () => number;
  #calls = 0;
  #uses = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#wall = options.wall ?? (() => options.clock.now());
  }

  /**
   * A store whose calls are written down. `name`: the place, the same in all processes. `watch` and `close` leave no
   * marks.
   */
  store(store: Store, name: string, role: CallMark['role']): Store {
    return new RecordedStore(store, (id, request, call, shorten) =>
      this.#call({ store: name, role, id, request }, call, shorten),
    );
  }

  use(start: UseStart): RecordedUse {
    const use = (this.#uses += 1);
    const moment = () => this.#moment();
    this.#options.sink({ mark: 'use', use, ...start, ...moment() });
    return new RecordedUse(use, moment, this.#options.sink);
  }

  #moment(): Pick<CallMark, 'who' | 'at' | 'wall'> {
    const { who, clock } = this.#options;
    return { who, at: clock.monotonic(), wall: this.#wall() };
  }

  async #call<T>(what: Asked, run: () => Promise<T>, shorten: (value: T) => Answer): Promise<T> {
    const call = (this.#calls += 1);
    const { sink } = this.#options;
    sink({ mark: 'call', call, ...what, ...this.#moment() });
    let value: T;
    try {
      value = await run();
    } catch (error) {
      const code = error instanceof HoldfastError ? error.code : undefined;
      sink({ mark: 'answer', call, outcome: outcomeOf(error), code, ...this.#moment() });
      throw error;
    }
    sink({ mark: 'answer', call, outcome: 'ok', answer: shorten(value), ...this.#moment() });
    return value;
  }
}

/** The marks of one use, in the order in which they are called. */
export class RecordedUse {
  readonly #use: number;
  readonly #moment: () => Pick<CallMark, 'who' | 'at' | 'wall'>;
  readonly #sink: Sink;

  constructor(use: number, moment: () => Pick<CallMark, 'who' | 'at' | 'wall'>, sink: Sink) {
    this.#use = use;
    this.#moment = moment;
    this.#sink = sink;
  }

  saw(keys: readonly string[] | undefined, where: { readonly id?: string; readonly from?: number } = {}): void {
    this.#sink({ mark: 'saw', use: this.#use, keys, ...where, ...this.#moment() });
  }

  put(keys: readonly string[]): void {
    this.#sink({ mark: 'put', use: this.#use, keys, ...this.#moment() });
  }

  kept(keys: readonly string[], outcome: Outcome, length?: number): void {
    this.#sink({ mark: 'kept', use: this.#use, keys, outcome, length, ...this.#moment() });
  }

  done(outcome: Outcome, more: { readonly length?: number; readonly code?: string } = {}): void {
    this.#sink({ mark: 'done', use: this.#use, outcome, ...more, ...this.#moment() });
  }
}

/** What is no error of Holdfast's is a bug, after which anything may have happened. */
function outcomeOf(error: unknown): 'failed' | 'unknown' {
  if (!(error instanceof HoldfastError)) return 'unknown';
  return error.code !== 'ERR_UNAVAILABLE' || error.outcome === 'none' ? 'failed' : 'unknown';
}

type Watched = <T>(
  id: string | undefined,
  request: Request,
  run: () => Promise<T>,
  shorten: (value: T) => Answer,
) => Promise<T>;

class RecordedStore implements Store {
  readonly #inner: Store;
  readonly #watched: Watched;

  constructor(inner: Store, watched: Watched) {
    this.#inner = inner;
    this.#watched = watched;
  }

  get address(): string | undefined {
    return this.#inner.address;
  }

  get outage(): Store['outage'] {
    return this.#inner.outage;
  }

  get can(): Store['can'] {
    return this.#inner.can;
  }

  read: Store['read'] = (id, request, options) => {
    const { since, kept, limitBytes } = request;
    const run = () => this.#inner.read(id, request, options);
    return this.#watched(id, { op: 'read', since, kept, limitBytes }, run, (tail) => ({
      op: 'read',
      tail: shortTail(tail),
    }));
  };

  append: Store['append'] = (id, append, options) =>
    this.#watched(
      id,
      shortAppend(append),
      () => this.#inner.append(id, append, options),
      (reply) => shortAppended('append', reply),
    );

  replace: Store['replace'] = (id, image, expected, options) => {
    const { createdAt, expiry, token } = image;
    const request: Request = {
      op: 'replace',
      records: image.records.map(shortRecord),
      expected,
      token,
      createdAt,
      expiry,
    };
    return this.#watched(
      id,
      request,
      () => this.#inner.replace(id, image, expected, options),
      (reply) => shortAppended('replace', reply),
    );
  };

  lock: Store['lock'] = (id, request, options) => {
    const { member, ticket, leaseMs, wait, existing, since, kept, limitBytes } = request;
    const asked: Request = { op: 'lock', member, ticket, leaseMs, wait, existing, since, kept, limitBytes };
    return this.#watched(id, asked, () => this.#inner.lock(id, request, options), shortLockReply);
  };

  unlock: Store['unlock'] = (id, by, options) =>
    this.#watched(
      id,
      { op: 'unlock', by },
      () => this.#inner.unlock(id, by, options),
      () => ({ op: 'unlock' }),
    );

  touch: Store['touch'] = (id, touch, options) => {
    const request: Request = { op: 'touch', token: touch.token, renew: touch.renew === true, expiry: touch.expiry };
    return this.#watched(id, request, () => this.#inner.touch(id, touch, options), shortTouched);
  };

  inspect: Store['inspect'] = (id, options) =>
    this.#watched(
      id,
      { op: 'inspect' },
      () => this.#inner.inspect(id, options),
      ({ head, lock }) => ({
        op: 'inspect',
        head: shortHead(head),
        holder: lock.holder?.member,
        queued: lock.queue.length,
      }),
    );

  join: Store['join'] = async (listener, options) => {
    const shorten = ({ member, epoch }: { member: string; epoch: number }): Answer => ({ op: 'join', member, epoch });
    const membership = await this.#watched(
      undefined,
      { op: 'join' },
      () => this.#inner.join(listener, options),
      shorten,
    );
    const { member, epoch } = membership;
    const leave = () =>
      this.#watched(
        undefined,
        { op: 'leave', member },
        () => membership.leave(),
        () => ({ op: 'leave' }),
      );
    return { member, epoch, watch: (ids, given) => membership.watch(ids, given), leave };
  };

  list: Store['list'] = (query, options) => {
    const { limit, cursor, term } = query;
    const request: Request = { op: 'list', limit, cursor, ...(term !== undefined && { byTerm: true }) };
    return this.#watched(
      undefined,
      request,
      () => this.#inner.list(query, options),
      (page) => ({ op: 'list', ...page }),
    );
  };

  sweep: Store['sweep'] = (request, options) =>
    this.#watched(
      undefined,
      { op: 'sweep', ...request },
      () => this.#inner.sweep(request, options),
      (page) => ({ op: 'sweep', ...page }),
    );

  promote: Store['promote'] = (above, options) =>
    this.#watched(
      undefined,
      { op: 'promote', above },
      () => this.#inner.promote(above, options),
      ({ epoch }) => ({ op: 'promote', epoch }),
    );

  ping: Store['ping'] = (options) =>
    this.#watched(
      undefined,
      { op: 'ping' },
      () => this.#inner.ping(options),
      ({ epoch }) => ({ op: 'ping', epoch }),
    );

  close: Store['close'] = () => this.#inner.close();
}

const shortRecord = ({ position, kind, bytes }: ImageRecord): Written => ({ position, kind, digest: crc32(bytes) });

function shortAppend(append: Append): Request {
  const { parent, begins, under, expiry, createdAt, first } = append;
  const lock = append.lock ?? (typeof under === 'number' ? 'renew' : 'release');
  return { op: 'append', ...shortRecord(append), parent, begins, under, expiry, createdAt, first, lock };
}

/** Infinite times are left out: JSON would make them null. */
const finite = (ms: number): number | undefined => (Number.isFinite(ms) ? ms : undefined);

export function shortHead(head: Head | undefined): HeadMark | undefined {
  if (head === undefined) return undefined;
  const { state, position, token, first, snapshot, createdAt, expiry, leftMs } = head;
  return { state, position, token, first, snapshot, createdAt, expiry, leftMs: finite(leftMs) };
}

function shortTail({ head, records, whole, next }: Tail): TailMark {
  return { head: shortHead(head), records: records.map((bytes) => crc32(bytes)), whole, next };
}

function shortAppended(op: 'append' | 'replace', reply: Appended): Answer {
  if (reply.appended) return { op, appended: true, token: reply.token };
  if (reply.why === 'locked') return { op, appended: false, why: 'locked', retryMs: reply.retryMs };
  const { why, token, tail, grant } = reply;
  return {
    op,
    appended: false,
    why,
    token,
    tail: shortTail(tail),
    grant: grant && { token: grant.token, leaseLeftMs: grant.leaseLeftMs },
  };
}

function shortLockReply(reply: LockReply): Answer {
  if (!reply.granted)
    return { op: 'lock', granted: false, retryMs: reply.retryMs, tail: reply.tail && shortTail(reply.tail) };
  const { token, leaseLeftMs, tail } = reply;
  return { op: 'lock', granted: true, grant: { token, leaseLeftMs }, tail: shortTail(tail) };
}

function shortTouched(reply: Touched): Answer {
  if (reply.touched) return { op: 'touch', touched: true, leftMs: finite(reply.leftMs) };
  return { op: 'touch', touched: false, why: reply.why, head: shortHead(reply.head) };
}
