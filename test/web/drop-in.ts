import type { SessionData } from 'express-session';
import { afterEach, expect } from 'vitest';
import type { HoldfastError } from '../../ts/errors.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Append, Store } from '../../ts/store/store.ts';
import { VirtualClock } from '../../ts/testing/virtual-clock.ts';
import { HoldfastSessionStore } from '../../ts/web/drop-in/express-session.ts';
import type { DropInOptions } from '../../ts/web/drop-in/express-session.ts';
import { through } from '../store/through.ts';

/** What an application keeps is its own: no type says what. */
export type Values = SessionData & Record<string, unknown>;

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** Closed when the test has ended. */
export function closing<T extends { close(): Promise<unknown> }>(one: T): T {
  open.push(one);
  return one;
}

export const MINUTE_MS = 60_000;

interface Shop {
  readonly clock: VirtualClock;
  readonly memory: MemoryStore;
  /** `memory`, of which `appends` are noted. */
  readonly store: Store;
  readonly appends: Append[];
  /** Of two servers. */
  readonly sessions: HoldfastSessionStore;
  readonly other: HoldfastSessionStore;
  readonly cookie: (ms?: number) => SessionData['cookie'];
  /** A session `sid` with these values. */
  readonly begin: (values: object) => Promise<void>;
}

export function setUp(options: Omit<Partial<DropInOptions>, 'store'> = {}): Shop {
  const clock = new VirtualClock();
  const memory = new MemoryStore({ clock });
  const appends: Append[] = [];
  const store = through(memory, {
    append: (call, _id, append) => {
      appends.push(append);
      return call();
    },
  });
  const sessions = closing(new HoldfastSessionStore({ store, clock, ...options }));
  const other = closing(new HoldfastSessionStore({ store, clock, ...options }));
  const cookie = (ms: number = MINUTE_MS): SessionData['cookie'] => ({
    originalMaxAge: ms,
    expires: new Date(clock.now() + ms),
    httpOnly: true,
    path: '/',
  });
  const begin = (values: object): Promise<void> => sessions.set('sid', { cookie: cookie(), ...values });
  return { clock, memory, store, appends, sessions, other, cookie, begin };
}

export const get = async (store: HoldfastSessionStore, sid: string = 'sid'): Promise<Values> =>
  (await store.get(sid)) as Values;

export const error = async (work: Promise<unknown>): Promise<HoldfastError> =>
  work.then(
    () => expect.unreachable('it went well'),
    (thrown: unknown) => thrown as HoldfastError,
  );
