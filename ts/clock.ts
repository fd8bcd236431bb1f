/** Time, injected: the simulation and the tests bring their own. All values are milliseconds. */
export interface Clock {
  /** Wall-clock time: expiries, and the times in records. */
  now(): number;
  /** Never goes back, and is one for all processes since the machine was started: leases are measured by it. */
  monotonic(): number;
  /**
   * Calls `run` once after `delayMs`; returns a function that cancels. Never keeps the process alive when `background`.
   */
  after(delayMs: number, run: () => void, background?: boolean): () => void;
}

/** Timers of Node are cut off at 2^31 - 1 ms, and fire at once beyond. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

type Function = (...given: never[]) => unknown;
const { Date: LoadedDate, setTimeout: loadedSetTimeout, clearTimeout: loadedClearTimeout } = globalThis;
const loadedHrtime = process.hrtime;

const MARKS = ['clock', 'isFake', 'isMock', '_isMockFunction'];

/** As Jest, vitest and sinon mark theirs, and as those of node:test and vitest are named. */
const isFake = (one: Function | typeof Date): boolean =>
  MARKS.some((mark) => mark in one) || one.name.startsWith('bound ') || one.name === 'MockDate';

/**
 * What a test's fakes would stop goes on by what was there before: a chain of timers that goes on from a fake one ends
 * with it. Asked at each call, for fakes may also have been there first.
 */
const real = <T extends Function | typeof Date>(now: T, loaded: T): T =>
  now !== loaded && isFake(now) && !isFake(loaded) ? loaded : now;

export const systemClock: Clock = {
  now: () => real(Date, LoadedDate).now(),
  monotonic: () => Number(real(process.hrtime, loadedHrtime).bigint() / 1000n) / 1000,
  after(delayMs, run, background = false) {
    const timer = real(setTimeout, loadedSetTimeout)(run, Math.min(delayMs, LONGEST_TIMER_MS));
    const clear = real(clearTimeout, loadedClearTimeout); // of the same kind
    if (background) timer.unref();
    return () => clear(timer);
  },
};

/** A wall clock that moves further than this against the monotonic one has jumped. */
const JUMP_MS = 1000;
/** Both must agree again for this long. */
const AGREE_MS = 60_000;

/**
 * The wall clock as far as it can be trusted, to judge expiries by. While the wall clock has moved by more than a
 * second against the monotonic one, time goes on by the latter, until both have agreed again for a minute: a clock that
 * is set wrong expires nothing. A process that starts after the jump cannot know of it. Slow drift (an adjusted rate)
 * is followed.
 */
export class SteadyTime {
  readonly #clock: Clock;
  readonly #onJump: (jumpMs: number) => void;
  /** Wall minus monotonic, as last trusted. */
  #offset: number;
  #jumped = false;
  /** Monotonic time since which both agree again. */
  #agreeSince: number | undefined;

  /** `onJump` is told by how much the wall clock moved, and 0 when it is trusted again. */
  constructor(clock: Clock, onJump: (jumpMs: number) => void = () => undefined) {
    this.#clock = clock;
    this.#onJump = onJump;
    this.#offset = clock.now() - clock.monotonic();
  }

  /** To judge by: whether a session has expired. A jump back must not bring back to life what has. */
  now(): number {
    return this.look().wall;
  }

  /**
   * To note down: when a session was used. The later of both while they disagree, so that nobody takes a use for an old
   * one.
   */
  stamp(): number {
    return this.look().stamp;
  }

  /** The monotonic clock, `now` as `wall`, and `stamp`, of one moment. */
  look(): { readonly monotonic: number; readonly wall: number; readonly stamp: number } {
    const told = this.#clock.now();
    const monotonic = this.#clock.monotonic();
    const steady = this.#follow(told, monotonic);
    if (!this.#jumped) return { monotonic, wall: told, stamp: told };
    return { monotonic, wall: steady, stamp: Math.max(told, steady) };
  }

  /** What the wall clock would tell, had it not jumped. */
  #follow(wall: number, monotonic: number): number {
    const moved = wall - monotonic - this.#offset;
    if (Math.abs(moved) > JUMP_MS) {
      this.#agreeSince = undefined;
      const isNew = !this.#jumped;
      this.#jumped = true; // first: who hears of it may look at the time
      if (isNew) this.#onJump(moved);
    } else if (!this.#jumped) this.#offset += moved;
    else {
      this.#agreeSince ??= monotonic;
      if (monotonic - this.#agreeSince >= AGREE_MS) {
        this.#jumped = false;
        this.#agreeSince = undefined;
        this.#onJump(0);
      }
    }
    return monotonic + this.#offset;
  }
}
