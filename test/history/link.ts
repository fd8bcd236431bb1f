import { HoldfastError } from '../../ts/errors.ts';
import type { Store } from '../../ts/store/store.ts';
import type { VirtualClock } from './world.ts';

/** A call comes to the store no later than this after it was sent. */
export const SLOWEST_MS = 1000;

export interface Losses {
  /** Most ms of one way to the store. */
  readonly latency: number;
  /** Ms that a caller waits for an answer. */
  readonly patience: number;
  /** Chances of a call: lost before, lost after, much later than others. */
  readonly lossBefore: number;
  readonly lossAfter: number;
  readonly late: number;
}

export interface Way {
  readonly knobs: Losses;
  readonly clock: VirtualClock;
  readonly random: () => number;
}

/** The way to the store and back: takes time, loses calls and answers, and does not wait for ever. */
export function delayed(store: Store, { knobs, clock, random }: Way): Store {
  const send = async <T>(call: () => Promise<T>): Promise<T> => {
    const [there, back] = [random() * knobs.latency, random() * knobs.latency];
    const [lostBefore, lostAfter] = [random() < knobs.lossBefore, random() < knobs.lossAfter];
    const late = random() < knobs.late ? random() * (SLOWEST_MS - 100) : 0;
    const answer = clock.sleep(there + late).then(() => (lostBefore ? new Promise<never>(() => undefined) : call()));
    return new Promise<T>((resolve, reject) => {
      clock.after(knobs.patience, () =>
        reject(new HoldfastError('ERR_UNAVAILABLE', 'no answer came; offer it again', { outcome: 'unknown' })),
      );
      answer.then(
        (value) => void (lostAfter || clock.after(back, () => resolve(value))),
        (error: Error) => void (lostAfter || clock.after(back, () => reject(error))),
      );
    });
  };
  return {
    address: store.address,
    can: store.can,
    read: (...a) => send(() => store.read(...a)),
    append: (...a) => send(() => store.append(...a)),
    replace: (...a) => send(() => store.replace(...a)),
    lock: (...a) => send(() => store.lock(...a)),
    unlock: (...a) => send(() => store.unlock(...a)),
    touch: (...a) => send(() => store.touch(...a)),
    inspect: (...a) => send(() => store.inspect(...a)),
    list: (...a) => send(() => store.list(...a)),
    sweep: (...a) => send(() => store.sweep(...a)),
    promote: (...a) => send(() => store.promote(...a)),
    ping: (...a) => send(() => store.ping(...a)),
    join: (...a) => store.join(...a),
    close: () => store.close(),
  };
}
