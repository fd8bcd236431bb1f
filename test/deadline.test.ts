import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import type { Clock } from '../ts/clock.ts';
import { within } from '../ts/deadline.ts';
import type { HoldfastError } from '../ts/errors.ts';
import { callersClock } from './callers-clock.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const codeOf = (wait: Promise<unknown>): Promise<unknown> =>
  wait.then(
    () => undefined,
    (error: unknown) => (error as HoldfastError).code,
  );

/** Timers fire when told to, and count. */
class HandClock implements Clock {
  time = 0;
  set = 0;
  #timers = new Map<number, { readonly at: number; readonly run: () => void }>();

  now = (): number => this.time;
  monotonic = (): number => this.time;

  after = (delayMs: number, run: () => void): (() => void) => {
    const number = (this.set += 1);
    this.#timers.set(number, { at: this.time + delayMs, run });
    return () => void this.#timers.delete(number);
  };

  get pending(): number {
    return this.#timers.size;
  }

  /** Fires what is due by then, each timer at its own time less `early`. */
  pass(ms: number, early = 0): void {
    const until = this.time + ms;
    for (let fired = 0; fired < 100; fired += 1) {
      const [next] = [...this.#timers]
        .filter(([, { at }]) => at - early <= until)
        .toSorted((a, b) => a[1].at - b[1].at);
      if (next === undefined) break;
      this.#timers.delete(next[0]);
      this.time = Math.max(this.time, next[1].at - early);
      next[1].run();
    }
    this.time = until;
  }
}

const never = (): Promise<never> => new Promise(() => undefined);

describe('within', () => {
  it('keeps the process alive for as long as something waits, be it for ever', async () => {
    const clock = new HandClock();
    let done: () => void = () => undefined;
    const wait = within(clock, Infinity, 'it', () => new Promise<void>((resolve) => (done = resolve)));
    expect(clock.pending).toBe(1);
    clock.pass(1_000_000);
    expect(clock.pending).toBe(1);
    done();
    await wait;
    expect(clock.pending).toBe(0);
  });

  it('gives up each wait at its own time, with one timer for all of them', async () => {
    const clock = new HandClock();
    const order: number[] = [];
    const waits = [300, 100, 200].map((ms) => codeOf(within(clock, ms, 'it', never)).then(() => order.push(ms)));
    for (const _ of waits) {
      expect(clock.pending).toBe(1);
      clock.pass(100);
      await Promise.resolve().then(() => undefined);
    }
    await Promise.all(waits);
    expect(order).toEqual([100, 200, 300]);
    expect(clock.pending).toBe(0);
  });

  it('says what has not answered, within which time, and that its outcome is unknown', async () => {
    const clock = new HandClock();
    const wait = within(clock, 50, 'the store', never);
    clock.pass(50);
    await expect(wait).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'unknown' });
    await expect(wait).rejects.toThrow('the store has not answered within 50 ms');
  });

  it('sets no timer for each of many calls that come back at once, and leaves none behind', async () => {
    const clock = new HandClock();
    for (let i = 0; i < 1000; i += 1) await within(clock, 5000, 'it', async () => i);
    expect(clock.set).toBe(1);
    clock.pass(1);
    expect(clock.pending).toBe(0);
  });

  it('leaves no timer behind when a long wait comes back: nothing else keeps the process alive', async () => {
    const clock = new HandClock();
    let answer: (value: number) => void = () => undefined;
    const wait = within(clock, 5000, 'it', () => new Promise<number>((resolve) => (answer = resolve)));
    clock.pass(10);
    expect(clock.pending).toBe(1);
    answer(7);
    expect(await wait).toBe(7);
    expect(clock.pending).toBe(0);
  });

  it('rejects where the work throws at once, and waits for nothing', async () => {
    const clock = new HandClock();
    const wait = within(clock, 5000, 'it', () => {
      throw new RangeError('at once');
    });
    await expect(wait).rejects.toThrow('at once');
    expect(clock.pending).toBe(0);
  });

  it('does not spin on timers that fire a rounding error too early', async () => {
    const clock = new HandClock();
    const wait = codeOf(within(clock, 100, 'it', never));
    clock.pass(110, 1e-9);
    expect(await wait).toBe('ERR_UNAVAILABLE');
    expect(clock.set).toBeLessThan(5);
  });

  it('goes on when the fake timers of a test have taken its timer with them', async () => {
    const clock = callersClock();
    vi.useFakeTimers();
    await within(clock, 5000, 'it', async () => 1);
    vi.useRealTimers();
    const hung = codeOf(within(clock, 20, 'it', never));
    const late = new Promise((resolve) => setTimeout(resolve, 2000, 'hangs'));
    expect(await Promise.race([hung, late])).toBe('ERR_UNAVAILABLE');
  });

  it('keeps nothing of what a call was made with, also where that hangs for good', async () => {
    const hanging: (() => void)[] = [];
    const begin = (): WeakRef<object> => {
      const given = { bytes: new Uint8Array(1000) };
      const call = (_given: object): Promise<void> => new Promise((resolve) => void hanging.push(resolve));
      void codeOf(within(new HandClock(), 50, 'it', () => call(given)));
      return new WeakRef(given);
    };
    const given = begin();
    for (let i = 0; i < 50 && given.deref() !== undefined; i += 1) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      collect();
    }
    expect(given.deref()).toBeUndefined();
    expect(hanging).toHaveLength(1);
  });

  it('looks less often at very many that wait: each look goes through them all', async () => {
    const clock = new HandClock();
    for (let i = 0; i < 50_000; i += 1) void codeOf(within(clock, 5000, 'it', never));
    const before = clock.set;
    for (let i = 0; i < 1000; i += 1) {
      await within(clock, 5000, 'it', async () => i);
      clock.pass(1);
    }
    expect(clock.set - before).toBeLessThan(2 * (1000 / 50) + 2);
    expect(await Promise.race([codeOf(within(clock, 10, 'it', never)), (clock.pass(61), new Promise(() => 0))])).toBe(
      'ERR_UNAVAILABLE',
    );
  });
});
