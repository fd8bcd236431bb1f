import type { Clock } from '../clock.ts';
import { HoldfastError, isSilence } from '../errors.ts';
import type { Keeper } from '../lock/hold.ts';
import { samePosition } from '../position.ts';
import type { Append, Appended, CallOptions, Store } from '../store/store.ts';
import type { Token } from '../token.ts';
import type { Outage } from './outage.ts';

/**
 * How an append of unknown outcome ended. `unknown`: refused, but the log no longer reaches back to where it would be.
 */
export type Settled = 'appended' | 'fenced' | 'conflict' | 'unknown';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 2000;

export interface Offer {
  readonly store: Pick<Store, 'append'>;
  readonly clock: Clock;
  readonly call: CallOptions & { readonly timeoutMs: number };
  readonly outage: Outage;
}

/**
 * Appends, offering the identical record again while the outcome is unknown and there is time: `failMs`, where no
 * answer is waited for longer (`isShort`) or where the store has said that it does not come; else `call.timeoutMs`.
 * Rejects with `ERR_UNAVAILABLE`: `none`, it never happened; `unknown`, it may have, and may still. `madeAt`: before
 * the first offer, wall clock in ms.
 */
export async function offer(
  { store, clock, call }: Offer,
  id: string,
  append: Append,
  madeAt: number,
  { failMs, isShort = false }: { readonly failMs?: number | undefined; readonly isShort?: boolean } = {},
): Promise<Appended> {
  const longestMs = Math.min(failMs ?? Infinity, call.timeoutMs);
  const until = clock.monotonic() + longestMs;
  let unknown: HoldfastError | undefined;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    let answer: Appended | undefined;
    try {
      const firstMs = isShort ? longestMs : call.timeoutMs;
      const timeoutMs = unknown === undefined ? firstMs : Math.max(1, until - clock.monotonic());
      answer = await store.append(id, append, { timeoutMs, signal: call.signal, failMs });
    } catch (error) {
      // Whatever the store says to a later offer: what the first one did is not known.
      unknown ??= asUnknown(error);
    }
    if (answer !== undefined && (unknown === undefined || !isHidden(answer, append, madeAt))) return answer;
    if (answer !== undefined || clock.monotonic() + pauseMs >= until) throw unknown as HoldfastError;
    await new Promise<void>((resolve) => void clock.after(pauseMs, resolve));
  }
}

/** Rethrows what is a definite answer. A driver that does not say so leaves it open. */
function asUnknown(error: unknown): HoldfastError {
  const known = error instanceof HoldfastError ? error : undefined;
  if (!isSilence(error) || known?.outcome === 'none') throw error;
  if (known?.outcome === 'unknown') return known;
  const message = error instanceof Error ? error.message : 'the store failed: see `cause`';
  return new HoldfastError('ERR_UNAVAILABLE', message, { outcome: 'unknown', session: known?.session, cause: error });
}

/**
 * No trace is left of where the record would be: compacted, or swept with its session, which may have begun anew since.
 */
function isHidden(answer: Appended, append: Append, madeAt: number): boolean {
  if (answer.appended || answer.why === 'locked') return false;
  const { head } = answer.tail;
  return head === undefined || head.first > append.position.revision || head.createdAt > madeAt;
}

/** A record of which the store has not said what became of it. */
export interface Pending {
  readonly append: Append & { readonly under: Token };
  /** Before the first offer, wall clock in ms. */
  readonly madeAt: number;
  /** It may be there already. */
  wasSent: boolean;
  /** `answer`: that has refused it. */
  readonly onSettled: (how: Settled, answer: Refusal | undefined) => Promise<void>;
}

export type Refusal = Appended & { readonly appended: false };

/**
 * Appends to one session of which the store has not said what became of them, in their order: the identical records are
 * offered again until it does. One that is refused takes those with it that follow it.
 */
export class Unsettled {
  readonly id: string;
  /** Resolves as the last of them has ended, after `onSettled` has run; never rejects. */
  readonly done: Promise<Settled>;
  /** Uses of this process go on from what the records say. Undefined: they wait until that is known. */
  readonly keeper: Keeper | undefined;
  readonly #line: Offer;
  readonly #queue: Pending[] = [];
  /** Of the lock when that was lost and has been got again. */
  #token: Token = 0;
  #isStopped = false;
  #wake: () => void = () => undefined;

  /** Something is to be added at once. */
  constructor(line: Offer, id: string, keeper: Keeper | undefined) {
    this.#line = line;
    this.id = id;
    this.keeper = keeper;
    this.done = this.#settle();
  }

  /** One that follows those before, while `hasEnded` is false. */
  add(next: Pending): void {
    this.#queue.push(next);
  }

  get hasEnded(): boolean {
    return this.#queue.length === 0;
  }

  /** In their order. */
  get appends(): readonly Append[] {
    return this.#queue.map(({ append }) => append);
  }

  /** Stops offering: the outcome stays unknown. */
  stop(): void {
    this.#isStopped = true;
    this.keeper?.end();
    this.#wake();
  }

  async #settle(): Promise<Settled> {
    const told: Promise<void>[] = [];
    let how: Settled = 'unknown';
    let isPaused = true;
    for (let pauseMs = FIRST_PAUSE_MS; isPaused || this.#queue.length > 0;) {
      if (isPaused) await this.#pause(pauseMs);
      const found: Found | undefined = this.#isStopped ? { how: 'unknown' } : await this.#offerFirst();
      isPaused = found === undefined;
      pauseMs = isPaused ? Math.min(2 * pauseMs, LONGEST_PAUSE_MS) : FIRST_PAUSE_MS;
      if (found === undefined) continue;
      how = found.how;
      const ended = this.#queue.splice(0, how === 'appended' ? 1 : Infinity);
      for (const { onSettled } of ended) told.push(onSettled(how, found.refusal));
    }
    this.keeper?.end();
    await Promise.allSettled(told); // whoever can tell of it has been told
    return how;
  }

  async #offerFirst(): Promise<Found | undefined> {
    const first = this.#queue[0] as Pending;
    const { append, madeAt } = first;
    const { store, call, outage } = this.#line;
    try {
      const under = Math.max(append.under, this.#token);
      const answer = await store.append(this.id, under === append.under ? append : { ...append, under }, call);
      if (answer.appended) return { how: 'appended' };
      if (first.wasSent && isHidden(answer, append, madeAt)) return { how: 'unknown', refusal: answer };
      if (answer.why === 'fenced' && this.keeper !== undefined && isNext(answer, append))
        return await this.#lockAgain(this.keeper, append);
      return { how: answer.why === 'fenced' ? 'fenced' : 'conflict', refusal: answer };
    } catch (error) {
      // Anything but silence means that this store will not say: closed, or damaged.
      if (!isSilence(error)) return { how: codeOf(error) === 'ERR_FENCED' ? 'fenced' : 'unknown' };
      first.wasSent ||= !(error instanceof HoldfastError) || error.outcome !== 'none';
      if (this.keeper !== undefined) outage.begin();
      return undefined;
    }
  }

  /** Nobody has written since: under a lock of this process the record follows as before. */
  async #lockAgain(keeper: Keeper, { parent }: Append): Promise<Found | undefined> {
    this.#token = await keeper.again(() => parent);
    return this.#offerFirst();
  }

  /** Ends early when the primary answers again; what goes on here asks nothing before, where that is known to be away. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const { clock, outage } = this.#line;
      const isOver = outage.over();
      const stop = isOver !== undefined && this.keeper !== undefined ? undefined : clock.after(ms, resolve, true);
      const wake = (): void => (stop?.(), resolve());
      this.#wake = wake;
      void isOver?.then(wake);
    });
  }
}

const codeOf = (error: unknown): string | undefined => (error instanceof HoldfastError ? error.code : undefined);

interface Found {
  readonly how: Settled;
  readonly refusal?: Refusal | undefined;
}

/** The record would follow the head, but for its token. */
const isNext = (answer: Refusal, { parent }: Append): boolean =>
  answer.why !== 'locked' && answer.tail.head?.state === 'live' && samePosition(answer.tail.head.position, parent);
