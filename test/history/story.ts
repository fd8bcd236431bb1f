import type { Final } from '../../ts/history/check.ts';
import type {
  Answer,
  AppendRequest,
  HeadMark,
  Mark,
  Outcome,
  Request,
  TailMark,
  UseMark,
} from '../../ts/history/mark.ts';
import { ORIGIN } from '../../ts/position.ts';
import type { Position } from '../../ts/position.ts';
import type { Acquire } from '../../ts/store/lock.ts';
import type { Expiry } from '../../ts/store/store.ts';

export const WALL = 1_700_000_000_000;
export const ID = 'session';

/** Positions in stories have the nonce 10 × revision, and a twin's another last digit. */
export const at = (revision: number, twin = 0): Position =>
  revision === 0 ? ORIGIN : { revision, nonce: 10 * revision + twin };

export function head(revision: number, more: Partial<HeadMark> = {}): HeadMark {
  return {
    state: 'live',
    position: at(revision),
    token: 1,
    first: 1,
    snapshot: 1,
    createdAt: WALL,
    expiry: {},
    ...more,
  };
}

export const tail = (shown: HeadMark | undefined, records: readonly number[] = []): TailMark => ({
  head: shown,
  records,
  whole: true,
});
export const appended = (token = 1): Answer => ({ op: 'append', appended: true, token });
export const refused = (
  shown: HeadMark,
  why: 'fenced' | 'conflict' = 'conflict',
  records: readonly number[] = [],
  whole = false,
): Answer => ({
  op: 'append',
  appended: false,
  why,
  token: shown.token,
  tail: { head: shown, records, whole },
});
export const granted = (token: number, leaseLeftMs: number, shown: TailMark = tail(undefined)): Answer => ({
  op: 'lock',
  granted: true,
  grant: { token, leaseLeftMs },
  tail: shown,
});

/** A record for a story: the first is a snapshot, the next ones deltas; `digest` is its revision. */
export function record(revision: number, more: Partial<AppendRequest> = {}): AppendRequest {
  const kind = revision === 1 ? 'snapshot' : 'delta';
  return {
    op: 'append',
    position: at(revision),
    parent: at(revision - 1),
    kind,
    digest: revision,
    under: 1,
    lock: 'leave',
    ...more,
  };
}

export const end = (revision: number): AppendRequest => record(revision, { kind: 'end' });
export const idle = (idleMs: number): { readonly expiry: Expiry } => ({ expiry: { idleMs } });

export const ask = (member: string, ticket = 1, leaseMs = 100): Acquire => ({ member, ticket, leaseMs, wait: true });
export const lock = (member: string, ticket = 1, leaseMs = 100): Request => ({
  op: 'lock',
  ...ask(member, ticket, leaseMs),
  since: ORIGIN,
  limitBytes: 0,
});

/** A history made by hand. Each mark is one ms after the one before, unless time is told to pass. */
export class Story {
  readonly marks: Mark[] = [];
  #time = 0;
  #calls = 0;
  #uses = 0;

  #mark(mark: object, who = 'p'): void {
    this.#time += 1;
    this.marks.push({ ...mark, who, at: this.#time, wall: WALL + this.#time } as Mark);
  }

  pass(ms: number): void {
    this.#time += ms;
  }

  /** The call's number, to be answered. */
  call(
    request: Request,
    { id = ID, store = 'primary' }: { readonly id?: string | undefined; readonly store?: string } = {},
  ): number {
    const call = (this.#calls += 1);
    this.#mark({ mark: 'call', call, store, role: store === 'primary' ? 'primary' : 'backup', id, request });
    return call;
  }

  answer(call: number, answer: Answer): void {
    this.#mark({ mark: 'answer', call, outcome: 'ok', answer });
  }

  /** A call that is answered at once. */
  does(
    request: Request,
    answer: Answer,
    where: { readonly id?: string | undefined; readonly store?: string } = {},
  ): void {
    this.answer(this.call(request, where), answer);
  }

  /** About the whole store. */
  asks(request: Request, answer: Answer): void {
    this.#mark({ mark: 'call', call: (this.#calls += 1), store: 'primary', role: 'primary', request });
    this.answer(this.#calls, answer);
  }

  fails(call: number, outcome: 'failed' | 'unknown'): void {
    this.#mark({ mark: 'answer', call, outcome, code: 'ERR_UNAVAILABLE' });
  }

  /** Records that are appended and acknowledged. */
  appends(...records: readonly AppendRequest[]): void {
    for (const each of records) this.does(each, appended(typeof each.under === 'number' ? each.under : 1));
  }

  reads(shown: TailMark): void {
    this.does(
      { op: 'read', since: ORIGIN, ...(shown.records.length === 0 && { limitBytes: 0 }) },
      { op: 'read', tail: shown },
    );
  }

  use(more: Partial<UseMark> = {}): number {
    this.#mark({ mark: 'use', use: (this.#uses += 1), store: 'primary', id: ID, ...more });
    return this.#uses;
  }

  saw(use: number, keys?: readonly string[], more: { readonly id?: string; readonly from?: number } = {}): void {
    this.#mark({ mark: 'saw', use, keys, ...more });
  }

  put(use: number, ...keys: readonly string[]): void {
    this.#mark({ mark: 'put', use, keys });
  }

  kept(use: number, keys: readonly string[], outcome: Outcome, length?: number): void {
    this.#mark({ mark: 'kept', use, keys, outcome, length });
  }

  done(use: number, outcome: Outcome = 'ok', length?: number): void {
    this.#mark({ mark: 'done', use, outcome, length });
  }

  /** A whole use that adds keys to what it saw. */
  adds(saw: readonly string[], ...keys: readonly string[]): void {
    const use = this.use();
    this.saw(use, saw);
    this.put(use, ...keys);
    this.done(use, 'ok', saw.length + keys.length);
  }

  final(shown: HeadMark | undefined, keys?: readonly string[], id: string = ID): Final {
    return { store: 'primary', id, wall: WALL + this.#time, head: shown, keys };
  }
}
