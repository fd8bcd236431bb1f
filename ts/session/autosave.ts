import type { Clock } from '../clock.ts';
import { HoldfastError } from '../errors.ts';
import type { Observers } from '../observe.ts';

export interface AutosaveOptions {
  /** Ms from one look at an open session to the next; at least 1. */
  readonly everyMs: number;
}

/** What is saved now and then. */
interface Saved {
  readonly id: string;
  readonly closed: boolean;
  readonly state: object;
  tracked(): readonly string[];
  save(): Promise<unknown>;
}

/** By their states: who holds no more than a part of the state has the session saved all the same. */
const inUse = new WeakMap<object, Saved>();

/**
 * Saves an open session every so often if it was touched, until it ends. Held weakly: one of which its user holds
 * nothing any more is let go, and told of. A save that fails is an event, once until it fails otherwise or succeeds; the
 * next is tried in its turn.
 */
export function autosave(session: Saved, { everyMs }: AutosaveOptions, clock: Clock, observers: Observers): void {
  const held = new WeakRef(session);
  inUse.set(session.state, session);
  const plan = (): void => void clock.after(everyMs, look, true);
  const told: Told = { last: undefined };
  const look = (): void => void save(held, observers, told).then((open) => open && plan());
  plan();
}

/** The failure that was told of last; undefined: there was none, or a save has gone well since. */
interface Told {
  last: string | undefined;
}

/** False: it has ended. A function of its own: what the timer runs must not lead to the session. */
async function save(held: WeakRef<Saved>, observers: Observers, told: Told): Promise<boolean> {
  const session = held.deref();
  if (session === undefined || session.closed) return false;
  const { last } = told;
  told.last = undefined;
  try {
    if (session.tracked().length > 0) await session.save();
  } catch (error) {
    const code = error instanceof HoldfastError ? error.code : undefined;
    const message = error instanceof Error ? error.message : String(error);
    told.last = `${code} ${message.replace(/\d+/g, '')}`; // sizes and times go on changing
    if (code !== 'ERR_CLOSED' && told.last !== last)
      observers.emit('autosave-error', () => ({ id: session.id, code, message }));
  }
  return true;
}
