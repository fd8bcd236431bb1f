import type { Clock } from '../clock.ts';
import { shortId } from '../errors.ts';
import type { Observers } from '../observe.ts';
import type { Claimed } from './claimed.ts';

/** What a session that is open holds. It must not lead to the session's state. */
export interface Opened {
  claimed: Claimed;
}

/** A session is kept from being collected for so long at least. */
const LOOK_MS = 500;

/**
 * Sessions that are dropped without having been closed. Their locks are given back once nothing leads to their state
 * any more, and they are told of. To note where a session is opened costs as much as half an opening (4 µs), so that is
 * done from the first that was lost, or in the way of another.
 */
export class UnclosedSessions {
  readonly #observers: Observers;
  readonly #clock: Clock | undefined;
  /** Opened since the last look. Most are closed before the next, and never registered: that costs 1 µs. */
  #young = new Map<object, Opened>();
  #looking = false;
  readonly #registry: FinalizationRegistry<Opened> = new FinalizationRegistry((opened) => this.#tell(opened));
  #notesPlaces = false;
  #warnings = 0;

  /** Without a clock nothing is watched: garbage is collected at no time that a simulation could repeat. */
  constructor(observers: Observers, clock: Clock | undefined) {
    this.#observers = observers;
    this.#clock = clock;
  }

  /** Where `method` was called: found by the function, as in a bundle all code is in one file. */
  place(method: (...given: never[]) => unknown): string | undefined {
    if (!this.#notesPlaces) return undefined;
    const trace = { stack: '' };
    Error.captureStackTrace(trace, method);
    return trace.stack.split('\n', 2)[1]?.trim().replace(/^at /, '') ?? 'an unknown place';
  }

  notePlaces(): void {
    this.#notesPlaces = true;
  }

  watch(state: object, opened: Opened): void {
    if (this.#clock === undefined) return;
    this.#young.set(state, opened);
    if (this.#looking) return;
    this.#looking = true;
    this.#clock.after(LOOK_MS, () => this.#look(), true);
  }

  /** Those that are still open can be dropped from now on. */
  #look(): void {
    this.#looking = false;
    for (const [state, opened] of this.#young) this.#registry.register(state, opened, state);
    this.#young.clear();
  }

  /** It was closed. */
  unwatch(state: object): void {
    if (!this.#young.delete(state)) this.#registry.unregister(state);
  }

  #tell({ claimed }: Opened): void {
    const { place, replica, locked } = claimed;
    const { id } = replica;
    this.notePlaces();
    void claimed.end('keep', undefined);
    this.#observers.emit('unclosed', () => ({ id, openedAt: place }));
    // Once as it happens, and once with the place, if that was not known.
    if (this.#warnings > (place === undefined ? 0 : 1)) return;
    this.#warnings = place === undefined ? 1 : 2;
    const where =
      place === undefined
        ? 'the next one will be told with the place where it was opened'
        : `it was opened at ${place}`;
    process.emitWarning(
      `session '${shortId(id)}' was never closed: what was not saved is lost${locked ? ', and its lock was kept until now' : ''}; ${where}. Use scope(), or close() in a finally`,
      'HoldfastWarning',
    );
  }
}
