import { describe, expect, it } from 'vitest';
import { ABSENT } from '../../ts/conflict.ts';
import type { HoldfastError } from '../../ts/errors.ts';
import type { HoldfastEvent } from '../../ts/observe.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, immutable, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

interface Line {
  sku: string;
  quantity: number;
}

const definition = defineSession({
  user: immutable<string>(undefined, { required: true }),
  cart: mutable<Record<string, number>>(() => ({})),
  visits: mutable<number>(() => 0, { merge: 'sum' }),
  lines: mutable<Line[]>(() => [], { merge: { union: (line) => line.sku } }),
  list: mutable<string[]>(() => []),
  note: mutable<string>(),
  mine: mutable<string>(() => '', { merge: 'mine' }),
  theirs: mutable<string>(() => '', { merge: 'theirs' }),
  longest: mutable<string>(() => '', {
    merge: ({ mine, theirs }) => (String(mine).length > String(theirs).length ? mine : theirs),
  }),
});
const values = { user: 'ann' };
const repository = (store: MemoryStore) => new SessionRepository({ store, definition });

async function pair() {
  const store = new MemoryStore();
  const [one, two] = [repository(store), repository(store)];
  await one.scope('s', () => undefined, { create: values });
  return { store, one, two };
}

const failed = (promise: Promise<unknown>): Promise<HoldfastError> =>
  promise.then(
    () => expect.unreachable('it did not fail') as never,
    (error: HoldfastError) => error,
  );

const OPTIMISTIC = { mode: 'optimistic' } as const;

describe('an optimistic use', () => {
  it.each(['one process', 'two'])(
    'of fifty at once in %s, each with a key of its own, all are there',
    async (where) => {
      const { one, two } = await pair();
      const other = where === 'two' ? two : one;
      const ran: number[] = [];
      let waiting = 50;
      let all = (): void => undefined;
      const begun = new Promise<void>((resolve) => {
        all = resolve;
      });
      await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          [one, other][i % 2]!.scope(
            's',
            async (state) => {
              if ((waiting -= 1) === 0) all();
              await begun; // all have the state of before
              state.cart[`k${i}`] = i;
              state.visits += 1;
              state.lines.push({ sku: `sku ${i % 7}`, quantity: i % 7 });
              state.list.push(`${i}`);
              ran.push(i);
            },
            OPTIMISTIC,
          ),
        ),
      );
      const state = await two.read('s');
      expect(Object.keys(state!.cart).toSorted()).toEqual(Array.from({ length: 50 }, (_, i) => `k${i}`).toSorted());
      expect([state!.visits, state!.lines.length, state!.list.length, ran.length]).toEqual([50, 7, 50, 50]);
    },
  );

  it('takes no lock while it runs, nor for a use that changes nothing', async () => {
    const { store, one, two } = await pair();
    const holder = async () => (await store.inspect('s')).lock.holder?.member;
    await two.scope('s', () => undefined); // now the lock is kept there
    const before = await holder();
    expect(await one.scope('s', async (state) => [state.visits, await holder()], OPTIMISTIC)).toEqual([0, before]);
    expect(await holder()).toBe(before);
    await one.scope('s', (state) => void (state.visits += 1), OPTIMISTIC);
    expect(await holder()).not.toBe(before); // kept as any lock is, for the next
  });

  it('is refused what others have changed too, with all three values, and writes nothing', async () => {
    const { store, one, two } = await pair();
    const events: HoldfastEvent[] = [];
    one.observe((event) => void (event.type === 'conflict' && events.push(event)));
    const session = await one.open('s', OPTIMISTIC);
    session.state.note = 'mine';
    session.state.cart['tea'] = 1;
    session.state.visits += 1;
    await two.scope('s', (state) => {
      state.note = 'theirs';
      state.cart['tea'] = 2;
      state.visits += 1;
    });
    const revision = async () => (await store.read('s', { since: ORIGIN })).head?.position.revision;
    const before = await revision();
    const error = await failed(session.save());
    expect([error.code, error.outcome, error.session, error.revision]).toEqual(['ERR_CONFLICT', 'none', 's', before]);
    expect(error.conflicts).toEqual([
      { path: ['note'], base: ABSENT, mine: 'mine', theirs: 'theirs' },
      { path: ['cart', 'tea'], base: ABSENT, mine: 1, theirs: 2 },
    ]);
    expect(error.paths).toEqual([['note'], ['cart', 'tea']]);
    expect(error.message).toContain('note, cart.tea');
    expect(JSON.stringify(error) + String(error)).not.toContain('theirs"');
    expect(events).toMatchObject([{ type: 'conflict', id: 's', paths: [['note'], ['cart', 'tea']] }]);
    expect(session.closed).toBe(true);
    expect(await revision()).toBe(before);
    expect((await failed(session.save())).code).toBe('ERR_CLOSED');
  });

  it('goes by the policy of each attribute', async () => {
    const { one, two } = await pair();
    const session = await one.open('s', OPTIMISTIC);
    const change = (state: typeof session.state, by: string): void => {
      state.mine = by;
      state.theirs = by;
      state.longest = by;
      state.visits += by.length;
      state.lines.push({ sku: 'tea', quantity: 1 }, { sku: by, quantity: 1 });
    };
    change(session.state, 'me');
    await two.scope('s', (state) => change(state, 'other'));
    await session.save();
    const merged = { mine: 'me', theirs: 'other', longest: 'other', visits: 7 };
    expect(session.state).toMatchObject(merged);
    expect(session.state.lines.map(({ sku }) => sku)).toEqual(['tea', 'other', 'me']);
    session.state.mine = 'again';
    const { revision } = await session.saveAndClose();
    expect([session.revision, revision]).toEqual([4, 4]);
    expect(await two.read('s')).toMatchObject({ ...merged, mine: 'again' });
  });

  it('keeps what others have done to attributes that it has not touched, and shows it after the save', async () => {
    const { one, two } = await pair();
    const session = await one.open('s', OPTIMISTIC);
    const { cart, list } = session.state;
    expect([Object.keys(cart), list.length]).toEqual([[], 0]);
    session.state.note = 'a';
    await two.scope('s', (state) => {
      state.cart['tea'] = 1;
      delete (state as { theirs?: string }).theirs;
    });
    await session.save();
    expect(session.state).toMatchObject({ cart: { tea: 1 }, note: 'a', theirs: '' });
    expect(() => cart['tea']).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    list.push('still the state'); // nobody else has changed it
    session.state.cart['jam'] = 2;
    await session.saveAndClose();
    expect(await two.read('s')).toMatchObject({ cart: { tea: 1, jam: 2 }, list: ['still the state'], note: 'a' });
  });

  it('takes part in whole attributes coming and going', async () => {
    const { one, two } = await pair();
    await one.scope('s', (state) => void (state.note = 'a'));
    const gone = await one.open('s', OPTIMISTIC);
    delete gone.state.note;
    await two.scope('s', (state) => void (state.note = 'b'));
    expect((await failed(gone.save())).conflicts).toEqual([{ path: ['note'], base: 'a', mine: ABSENT, theirs: 'b' }]);
    const edited = await one.open('s', OPTIMISTIC);
    edited.state.note = 'c';
    await two.scope('s', (state) => void delete state.note);
    expect((await failed(edited.save())).conflicts).toEqual([{ path: ['note'], base: 'b', mine: 'c', theirs: ABSENT }]);
    const alone = await one.open('s', OPTIMISTIC);
    delete (alone.state as { visits?: number }).visits;
    await two.scope('s', (state) => void (state.note = 'd'));
    await alone.saveAndClose();
    expect(await two.read('s')).toMatchObject({ note: 'd', visits: 0 });
  });

  it('that is written to while it is saved saves that next, on top of what was merged', async () => {
    const { one, two } = await pair();
    const session = await one.open('s', OPTIMISTIC);
    session.state.visits += 1;
    session.state.cart['first'] = 1;
    await two.scope('s', (state) => {
      state.visits += 10;
      state.cart['other'] = 1;
      state.list.push('theirs');
    });
    const saving = session.save();
    session.state.visits += 100;
    session.state.cart['second'] = 2;
    session.state.list.push('mine');
    await saving;
    expect(await two.read('s')).toMatchObject({ visits: 11, cart: { other: 1, first: 1 }, list: ['theirs'] });
    expect(session.state.list).toEqual(['mine']); // what is not saved yet stays as it is here
    const explained = await session.explain();
    const saved = await session.save();
    const names = explained.attributes.filter(({ op }) => op !== 'nothing').map(({ name }) => name);
    expect([explained.kind, names.toSorted()]).toEqual(['delta', saved.changed.toSorted()]);
    expect(Math.abs(explained.bytes - saved.bytes)).toBeLessThanOrEqual(3); // its time
    expect(explained.attributes.flatMap(({ largest }) => largest.map(({ path }) => path)).toSorted()).toEqual(
      saved
        .changes()
        .map(({ path }) => path)
        .toSorted(),
    );
    expect(session.state).toMatchObject({
      visits: 111,
      cart: { other: 1, first: 1, second: 2 },
      list: ['theirs', 'mine'],
    });
    session.state.visits += 1000;
    await session.saveAndClose();
    expect((await two.read('s'))?.visits).toBe(1111);
  });

  it('explains the conflict that its next save would be refused with, and goes on', async () => {
    const { one, two } = await pair();
    const session = await one.open('s', OPTIMISTIC);
    session.state.note = 'mine';
    await two.scope('s', (state) => void (state.cart['tea'] = 1));
    const saving = session.save();
    session.state.cart['tea'] = 2;
    await saving;
    const seen: HoldfastEvent[] = [];
    one.observe((event) => void seen.push(event));
    const error = await failed(session.explain());
    expect(error).toMatchObject({ code: 'ERR_CONFLICT', paths: [['cart', 'tea']] });
    expect([seen.filter(({ type }) => type === 'conflict'), session.closed]).toEqual([[], false]);
    session.state.cart = {}; // as it was
    expect((await session.explain()).kind).toBe('nothing');
    await session.close();
  });

  it('runs again on the new state as often as it says, when it was refused', async () => {
    const { one, two } = await pair();
    const run = (retry: number | undefined, collides: number): Promise<number> => {
      let runs = 0;
      return one
        .scope(
          's',
          async (state) => {
            runs += 1;
            const seen = state.note ?? '';
            if (runs <= collides) await two.scope('s', (theirs) => void (theirs.note = `${seen}x`));
            state.note = `${seen}y`;
          },
          { ...OPTIMISTIC, retry },
        )
        .then(
          () => runs,
          (error: HoldfastError) => (expect(error.code).toBe('ERR_CONFLICT'), -runs),
        );
    };
    expect(await run(undefined, 1)).toBe(-1);
    expect(await run(0, 1)).toBe(-1);
    expect(await run(2, 1)).toBe(2);
    expect((await two.read('s'))?.note).toBe('xxxy');
    expect(await run(2, 3)).toBe(-3);
  });

  it('is not run again after an error of its own, nor when a part of it is stored', async () => {
    const { one, two } = await pair();
    let runs = 0;
    const collide = () => two.scope('s', (theirs) => void (theirs.note = `${theirs.note ?? ''}x`));
    const thrown = one.scope(
      's',
      async () => {
        runs += 1;
        await one.create(values, { id: 's' }); // a conflict, but none of this use's save
      },
      { ...OPTIMISTIC, retry: 3 },
    );
    expect((await failed(thrown)).code).toBe('ERR_CONFLICT');
    const halfway = one.scope(
      's',
      async (state, session) => {
        runs += 1;
        state.visits += 1;
        await session.save();
        state.note = 'mine';
        await collide();
      },
      { ...OPTIMISTIC, retry: 3 },
    );
    expect((await failed(halfway)).code).toBe('ERR_CONFLICT');
    const moved = one.scope(
      's',
      async (state, session) => {
        runs += 1;
        await session.changeId('t');
        state.note = 'mine';
        await two.scope('t', (theirs) => void (theirs.note = 'theirs'));
      },
      { ...OPTIMISTIC, retry: 3 },
    );
    expect((await failed(moved)).code).toBe('ERR_CONFLICT');
    expect([runs, (await two.read('t'))?.visits]).toEqual([3, 1]);
  });

  it('creates a session, and merges with one that another has created meanwhile', async () => {
    const store = new MemoryStore();
    const [one, two] = [repository(store), repository(store)];
    const create = (user: string) => ({ ...OPTIMISTIC, create: { user } });
    await one.scope(
      's',
      async (state) => {
        state.cart['tea'] = 1;
        state.visits += 1;
        await two.scope('s', (theirs) => void ((theirs.cart['jam'] = 1), (theirs.visits += 1)), create('bob'));
      },
      create('ann'),
    );
    expect(await one.read('s')).toMatchObject({ user: 'bob', cart: { tea: 1, jam: 1 }, visits: 2 });
    await two.scope('t', () => undefined, create('carl'));
    expect(await one.read('t')).toMatchObject({ user: 'carl' });
  });

  it('stays destroyed, and writes to no other session of its id', async () => {
    const { one, two } = await pair();
    const session = await one.open('s', OPTIMISTIC);
    session.state.visits += 1;
    await two.delete('s');
    expect((await failed(session.save())).code).toBe('ERR_NOT_FOUND');
    expect(session.closed).toBe(true);
    expect(await one.read('s')).toBeUndefined();
    expect((await failed(one.scope('s', () => undefined, OPTIMISTIC))).code).toBe('ERR_NOT_FOUND');
    expect((await failed(one.scope('never', () => undefined, OPTIMISTIC))).code).toBe('ERR_NOT_FOUND');
  });
});
