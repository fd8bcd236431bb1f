import { describe, expect, it } from 'vitest';
import { defineSession, immutable, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { ORIGIN } from '../../ts/position.ts';

const before = defineSession({ old: mutable<string>(), cart: mutable<string[]>(() => []), at: mutable<Date>() });

describe('an attribute that the definition no longer has', () => {
  const after = defineSession({ cart: mutable<string[]>(() => []) });

  it('is not seen, and kept for processes that still have it', async () => {
    const store = new MemoryStore();
    const [old, young] = [
      new SessionRepository({ store, definition: before }),
      new SessionRepository({ store, definition: after }),
    ];
    await old.scope('s', (state) => void ((state.old = 'x'), state.cart.push('a')), { create: true });
    await young.scope('s', (state, session) => {
      expect([Object.keys(state), 'old' in state, (state as { old?: string }).old]).toEqual([
        ['cart'],
        false,
        undefined,
      ]);
      session.replace({ cart: ['b'] });
    });
    expect(await young.read('s')).toEqual({ cart: ['b'] });
    expect(await young.scope('s', (state) => state)).toEqual({ cart: ['b'] });
    expect(await old.read('s')).toEqual({ old: 'x', cart: ['b'] });
  });

  it('is deleted by the next save where it is dropped, also under `undeclared`', async () => {
    for (const options of [{ drop: ['old'] }, { drop: ['old'], undeclared: mutable<unknown>() }]) {
      const store = new MemoryStore();
      const old = new SessionRepository({ store, definition: before });
      await old.scope('s', (state) => void ((state.old = 'x'), state.cart.push('a')), { create: true });
      const young = new SessionRepository({
        store,
        definition: defineSession({ cart: mutable<string[]>(() => []) }, options),
      });
      expect(await young.read('s')).toEqual({ cart: ['a'] });
      await young.scope('s', (state) => expect((state as { old?: string }).old).toBeUndefined());
      expect(await old.read('s')).toEqual({ cart: ['a'] });
      const { revision } = (await store.read('s', { since: ORIGIN })).head?.position ?? ORIGIN;
      await young.scope('s', () => undefined);
      expect((await store.read('s', { since: ORIGIN })).head?.position.revision).toBe(revision); // once
    }
    expect(() => defineSession({ cart: mutable<string[]>() }, { drop: ['cart'] })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID' }),
    );
  });
});

interface Line {
  sku: string;
  n: number;
}

describe('a value of an older schema', () => {
  const calls: unknown[] = [];
  const migrate = (old: unknown, from: number): Line[] => {
    calls.push([structuredClone(old), from]);
    return (old as string[]).map((sku) => ({ sku, n: 1 }));
  };
  const after = defineSession({ cart: mutable<Line[]>(() => [], { version: 2, migrate }), at: mutable<Date>() });
  const world = async (): Promise<{
    store: MemoryStore;
    old: SessionRepository<object>;
    young: SessionRepository<{ cart: Line[]; at?: Date }>;
  }> => {
    const store = new MemoryStore();
    const [old, young] = [
      new SessionRepository({ store, definition: before }),
      new SessionRepository({ store, definition: after }),
    ];
    await old.scope('s', (state) => void state.cart.push('a', 'b'), { create: true });
    calls.length = 0;
    return { store, old: old as unknown as SessionRepository<object>, young };
  };

  it('is shown migrated, and stored so once it is written', async () => {
    const { store, young } = await world();
    await young.scope('s', (state) =>
      expect(state.cart).toEqual([
        { sku: 'a', n: 1 },
        { sku: 'b', n: 1 },
      ]),
    );
    expect(calls).toEqual([[['a', 'b'], 0]]);
    expect((await store.read('s', { since: ORIGIN })).head?.position.revision).toBe(1); // reading wrote nothing
    await young.scope('s', (state) => void (state.at = new Date(1)));
    await young.scope('s', (state) => void ((state.cart[0] as Line).n = 5));
    const fresh = new SessionRepository({ store, definition: after });
    calls.length = 0;
    expect(await fresh.read('s')).toEqual({
      cart: [
        { sku: 'a', n: 5 },
        { sku: 'b', n: 1 },
      ],
      at: new Date(1),
    });
    expect(calls).toEqual([]);
  });

  it('is not migrated when it is assigned anew, nor when nobody reads it', async () => {
    const { store, young } = await world();
    await young.scope('s', (state) => void (state.cart = [{ sku: 'z', n: 9 }]));
    expect(await new SessionRepository({ store, definition: after }).read('s')).toEqual({ cart: [{ sku: 'z', n: 9 }] });
    expect(calls).toEqual([]);
  });

  it('keeps its version through a change of id, and a new session has it from the start', async () => {
    const { store, young } = await world();
    await young.scope('new', (state) => void state.cart.push({ sku: 'n', n: 1 }), { create: true });
    await young.changeId('new', 'newer');
    const newest = defineSession({
      cart: mutable<Line[]>(() => [], { version: 3, migrate: (old, from) => (calls.push(from), old as Line[]) }),
    });
    await new SessionRepository({ store, definition: newest }).read('newer');
    expect(calls).toEqual([2]);
  });

  it('that cannot be migrated fails the use that reads it, and is left as it was', async () => {
    const { store, old } = await world();
    const broken = defineSession({
      cart: mutable<Line[]>(() => [], {
        version: 2,
        migrate: () => {
          throw new RangeError('cannot');
        },
      }),
    });
    await expect(
      new SessionRepository({ store, definition: broken }).scope('s', (state) => state.cart.length),
    ).rejects.toMatchObject({ code: 'ERR_INVALID', paths: [['cart']], cause: expect.any(RangeError) });
    expect(await old.read('s')).toEqual({ cart: ['a', 'b'] });
  });
});

describe('a value of a newer schema than is known', () => {
  const newer = defineSession({
    cart: mutable<string[]>(() => [], { version: 2 }),
    map: mutable<Map<string, Date>>(() => new Map(), { version: 1 }),
    once: immutable<string>(undefined, { version: 1 }),
    n: mutable<number>(),
  });
  const older = defineSession({
    cart: mutable<string[]>(() => [], { version: 1 }),
    map: mutable<Map<string, Date>>(() => new Map()),
    once: immutable<string>(),
    n: mutable<number>(),
  });

  it.each(['write', 'all'] as const)('can be read, and stays as it is, in save mode %s', async (saveMode) => {
    const store = new MemoryStore();
    const [young, old] = [
      new SessionRepository({ store, definition: newer }),
      new SessionRepository({ store, definition: older, saveMode }),
    ];
    await young.scope(
      's',
      (state, session) => {
        state.cart.push('a');
        state.map.set('k', new Date(1));
        session.assign({ once: 'x' });
      },
      { create: true },
    );
    const writes: [string, (state: { cart: string[]; map: Map<string, Date> }) => unknown][] = [
      ['cart', (state) => state.cart.push('b')],
      ['cart', (state) => (state.cart = [])],
      ['cart', (state) => delete (state as { cart?: unknown }).cart],
      ['map', (state) => state.map.clear()],
    ];
    for (const [name, write] of writes) {
      const error = await old.scope('s', (state) => void write(state)).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'ERR_INVALID', paths: [[name]] });
      expect((error as Error).message).toContain('newer');
    }
    await old.scope('s', (state, session) => {
      expect([state.cart, state.map.get('k')?.getTime(), state.once]).toEqual([['a'], 1, 'x']);
      expect(() => state.map.get('k')?.setTime(5)).toThrow(/^map\.get\("k"\) is of version 1 .* newer/);
      session.replace({ n: 7 });
    });
    expect(await young.read('s')).toEqual({ cart: ['a'], map: new Map([['k', new Date(1)]]), once: 'x', n: 7 });
    await young.scope('s', (state) => void state.cart.push('c'));
    expect(await young.read('s')).toMatchObject({ cart: ['a', 'c'] });
  });
});
