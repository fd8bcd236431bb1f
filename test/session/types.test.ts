import { expect, it } from 'vitest';
import { defineSession, immutable, mutable, unclassified } from '../../ts/session/definition.ts';
import type { SessionState } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

/** Checked by the compiler (`npm run types`): each `@ts-expect-error` must be an error, everything else must be none. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(): T | undefined => undefined;

interface Item {
  sku: string;
  tags: string[];
}

const definition = defineSession({
  user: immutable<{ name: string; roles: string[] }>(),
  since: immutable<Date>(() => new Date(0)),
  cart: mutable<Item[]>(() => []),
  byKey: mutable<Map<string, Item>>(() => new Map()),
  note: mutable<string>(),
  theme: unclassified<'light' | 'dark'>(() => 'light'),
  visits: mutable(() => 0),
});
type State = SessionState<typeof definition>;

it('gives the state the declared types', async () => {
  holds<Same<State['cart'], Item[]>>();
  holds<Same<State['note'], string | undefined>>();
  holds<Same<State['theme'], 'light' | 'dark'>>();
  holds<Same<State['visits'], number>>();
  holds<Same<State['since'], Date>>();
  holds<Same<State['user'], { readonly name: string; readonly roles: readonly string[] } | undefined>>();

  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  await sessions.scope('s', (state, session) => {
    session.assign({ user: { name: 'ann', roles: ['user'] }, note: 'x' });
    state.cart.push({ sku: 'a', tags: [] });
    state.byKey.set('a', { sku: 'a', tags: ['t'] });
    state.visits += 1;
    state.theme = 'dark';
    delete state.note;
    const name: string | undefined = state.user?.name;
    expect(name).toBe('ann');
    // @ts-expect-error text where a number belongs
    const wrong: number = state.theme;
    expect(wrong).toBe('dark');
    // @ts-expect-error no such theme
    state.theme = 'blue';
    state.theme = 'light';
  });

  const compiledOnly = (state: State): void => {
    // @ts-expect-error immutable
    state.user = { name: 'bob', roles: [] };
    // @ts-expect-error immutable inside as well
    state.user?.roles.push('admin');
    // @ts-expect-error an item has no price
    state.cart.push({ sku: 'a', tags: [], price: 1 });
    // @ts-expect-error not text
    state.cart = 'empty';
    // @ts-expect-error not declared
    state.basket = [];
    // @ts-expect-error has a default, and so is never absent
    delete state.cart;
    // @ts-expect-error a Map of items
    state.byKey.set('a', 1);
  };
  expect(compiledOnly).toBeTypeOf('function');
  // @ts-expect-error not a value for visits
  const bad = (): Promise<unknown> => sessions.create({ visits: 'many' });
  expect(bad).toBeTypeOf('function');

  const state = await sessions.read('s');
  const read: string | undefined = state?.cart[0]?.sku;
  expect(read).toBe('a');
  expect(await sessions.scope('s', ({ cart }) => cart.length)).toBe(1);
});

it('gives undeclared attributes the type of the option', async () => {
  const open = defineSession({ n: mutable<number>(() => 0) }, { undeclared: mutable<number | string[]>() });
  const sessions = new SessionRepository({ store: new MemoryStore(), definition: open });
  await sessions.scope('s', (state) => {
    state['anything'] = ['x'];
    const n: number = state.n;
    state['more'] = n;
    // @ts-expect-error neither number nor strings
    state['wrong'] = true;
    delete state['wrong'];
  });
  expect(await sessions.read('s')).toEqual({ anything: ['x'], more: 0, n: 0 });
});
