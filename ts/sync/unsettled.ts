import { HoldfastError } from '../errors.ts';
import type { Append, Appended, CallOptions, Store } from '../store/store.ts';
import type { Clock } from '../clock.ts';

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
}

/**
 * Appends, offering the identical record again while the outcome is unknown and `call.timeoutMs` has not passed.
 * Rejects with `ERR_UNAVAILABLE`: `none`, it never happened; `unknown`, it may have, and may still. `madeAt`: before
 * the first offer, wall clock in ms.
 */
export async function offer(
  { store, clock, call }: Offer,
  id: string,
  append: Append,
  madeAt: number,
): Promise<Appended> {
  const until = clock.monotonic() + call.timeoutMs;
  let unknown: HoldfastError | undefined;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    let answer: Appended | undefined;
    try {
      const timeoutMs = unknown === undefined ? call.timeoutMs : Math.max(1, until - clock.monotonic());
      answer = await store.append(id, append, { timeoutMs, signal: call.signal });
    } catch (error) {
      // Whatever the store says to a later offer: what the first one did is not known.
      unknown ??= asUnknown(error);
    }
    if (answer !== undefined && (unknown === undefined || !isHidden(answer, append, madeAt))) return answer;
    if (answer !== undefined || clock.monotonic() + pauseMs >= until) throw unknown as HoldfastError;
    await new Promise<void>((resolve) => void clock.after(pauseMs, resolve));
  }
}

/** No answer. An error that is none of ours is none either: of a client whose connection broke, say. */
const isSilence = (error: unknown): boolean => !(error instanceof HoldfastError) || error.code === 'ERR_UNAVAILABLE';

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

/** An append of which the store has not said what became of it: the identical record is offered again until it does. */
export class Unsettled {
  readonly id: string;
  readonly append: Append;
  /** Resolves when the outcome is known, after `onSettled` has run; never rejects. */
  readonly done: Promise<Settled>;
  readonly #line: Offer;
  readonly #madeAt: number;
  #stopped = false;
  #wake: () => void = () => undefined;

  /** `madeAt`: as of `offer`. */
  constructor(line: Offer, id: string, append: Append, madeAt: number, onSettled: (how: Settled) => Promise<void>) {
    this.#line = line;
    this.#madeAt = madeAt;
    this.id = id;
    this.append = append;
    this.done = this.#settle(onSettled);
  }

  /** Stops offering: the outcome stays unknown. */
  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  async #settle(onSettled: (how: Settled) => Promise<void>): Promise<Settled> {
    let how: Settled | undefined;
    for (let pauseMs = FIRST_PAUSE_MS; how === undefined; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      await this.#pause(pauseMs);
      how = this.#stopped ? 'unknown' : await this.#offerOnce();
    }
    await onSettled(how).catch(() => undefined); // whoever can tell of it has been told
    return how;
  }

  async #offerOnce(): Promise<Settled | undefined> {
    try {
      const answer = await this.#line.store.append(this.id, this.append, this.#line.call);
      if (answer.appended) return 'appended';
      if (isHidden(answer, this.append, this.#madeAt)) return 'unknown';
      return answer.why === 'fenced' ? 'fenced' : 'conflict';
    } catch (error) {
      // Anything but silence means that this store will not say: closed, or damaged.
      return isSilence(error) ? undefined : 'unknown';
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#line.clock.after(ms, resolve, true);
      this.#wake = () => (stop(), resolve());
    });
  }
}
