import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { apply, diff } from '../../ts/graph.ts';
import { defineSession, immutable, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { plain } from '../../ts/tracking/tracker.ts';

interface Cart {
  lines: Map<string, { n: number; tags: Set<string> }>;
}

/** As test runners give them, whose files have realms of their own. */
const cart = (): Cart => runInNewContext(`({ lines: new Map([['tea', { n: 1, tags: new Set(['hot']) }]]) })`) as Cart;
const own = (): Cart => ({ lines: new Map([['tea', { n: 1, tags: new Set(['hot']) }]]) });

it('Maps and Sets of another realm are kept as those of this one', async () => {
  const definition = defineSession({
    cart: mutable<Cart>(cart),
    fixed: immutable<Cart>(),
    held: mutable<{ part: Cart; n?: number }>(undefined, { frozen: ['part'] }),
    any: mutable<unknown>(),
  });
  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  const given = cart();
  const { id } = await sessions.create({ fixed: cart(), held: { part: cart() } }).then(async (session) => {
    const { state } = session;
    expect(state.cart.lines).toBeInstanceOf(Map);
    state.cart = given;
    state.cart.lines.get('tea')!.n = 2;
    state.cart.lines.get('tea')!.tags.add('green');
    await session.save();
    expect((await session.save()).changed).toEqual([]);
    state.cart.lines.set('jam', { n: 3, tags: new Set() });
    const whole = runInNewContext('new Map()') as Map<string, unknown>;
    whole.set('part', state.cart);
    state.any = whole;
    expect((await session.save()).changed.toSorted()).toEqual(['any', 'cart']);
    await session.close();
    return session;
  });
  const changed = {
    lines: new Map([
      ['tea', { n: 2, tags: new Set(['hot', 'green']) }],
      ['jam', { n: 3, tags: new Set() }],
    ]),
  };
  expect(await sessions.read(id)).toStrictEqual({
    cart: changed,
    fixed: own(),
    held: { part: own() },
    any: new Map([['part', changed]]),
  });
  expect(plain(cart())).toStrictEqual(own());
  await sessions.close();
});

it('the differ of values takes them, too', () => {
  const target = cart();
  target.lines.get('tea')!.tags.add('green');
  const delta = diff(own(), target);
  expect(diff(own(), cart())).toEqual(diff(own(), own()));
  expect((apply(own(), delta) as Cart).lines.get('tea')!.tags).toEqual(new Set(['hot', 'green']));
});
