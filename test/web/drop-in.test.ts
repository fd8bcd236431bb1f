import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import type { HoldfastEvent } from '../../ts/observe.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { HoldfastSessionStore } from '../../ts/web/drop-in/express-session.ts';
import type { DropInOptions } from '../../ts/web/drop-in/express-session.ts';
import { through } from '../store/through.ts';
import { MINUTE_MS, closing, error, get, setUp } from './drop-in.ts';
import type { Values } from './drop-in.ts';

// docs/protocol.md: Sessions handed out as a whole

/** A request under way, and what it has done so far. */
interface Use {
  readonly session: Values;
  readonly model: Map<string, number | undefined>;
  readonly items: number[];
}

describe('requests of one session at once', () => {
  it('keep what each has changed, whichever server they come to', async () => {
    const { sessions, other, begin } = setUp();
    await begin({ user: 'ann', cart: ['tea'], prefs: { theme: 'light', size: 1 } });
    const [one, two] = [await get(sessions), await get(other)];
    Object.assign(one, { cart: [...(one['cart'] as string[]), 'jam'], seen: 1 });
    (one['prefs'] as Record<string, unknown>)['theme'] = 'dark';
    (two['cart'] as string[]).push('milk');
    (two['prefs'] as Record<string, unknown>)['size'] = 2;
    delete two['user'];
    await Promise.all([sessions.set('sid', one), other.set('sid', two)]);
    const merged = await get(sessions);
    expect((merged['cart'] as string[]).toSorted()).toEqual(['jam', 'milk', 'tea']);
    expect(merged).toMatchObject({ prefs: { theme: 'dark', size: 2 }, seen: 1 });
    expect(merged['user']).toBeUndefined();
  });

  it('may both begin a list, an object, a Map and a Set', async () => {
    const { sessions, other, begin } = setUp();
    await begin({});
    const [one, two] = [await get(sessions), await get(other)];
    Object.assign(one, { list: [1], object: { a: 1 }, map: new Map([[1, 1]]), set: new Set([1]) });
    Object.assign(two, { list: [2], object: { b: 2 }, map: new Map([[2, 2]]), set: new Set([2]) });
    await sessions.set('sid', one);
    await other.set('sid', two);
    const { list, object, map, set } = await get(sessions);
    expect(new Set(list as number[])).toEqual(new Set([1, 2]));
    expect({ object, map, set }).toEqual({
      object: { a: 1, b: 2 },
      map: new Map([
        [1, 1],
        [2, 2],
      ]),
      set: new Set([1, 2]),
    });
  });

  it('that change the same are told: nothing is written, and there is one event', async () => {
    const { sessions, other, begin, appends } = setUp();
    await begin({ n: 1 });
    const [one, two] = [await get(sessions), await get(other)];
    const events: HoldfastEvent[] = [];
    other.observe((event) => events.push(event));
    await sessions.set('sid', Object.assign(one, { n: 2 }));
    const before = appends.length;
    const refused = await error(other.set('sid', Object.assign(two, { n: 3, extra: true })));
    expect(refused.code).toBe('ERR_CONFLICT');
    expect(refused.message).toMatch(/option `conflicts`/);
    expect(refused.conflicts).toEqual([{ path: ['n'], base: 1, mine: 3, theirs: 2 }]);
    expect(appends.length).toBe(before);
    expect(events.filter(({ type }) => type === 'conflict')).toHaveLength(1);
    const kept = await get(sessions);
    expect([kept['n'], kept['extra']]).toEqual([2, undefined]);
  });

  it.each([
    ['mine', 3],
    ['theirs', 2],
    [({ base, mine, theirs }: Record<string, unknown>) => [base, mine, theirs], [1, 3, 2]],
  ] as const)('are settled by `conflicts`: %s', async (conflicts, n) => {
    const { sessions, other, begin } = setUp({ conflicts: conflicts as DropInOptions['conflicts'] });
    await begin({ n: 1 });
    const [one, two] = [await get(sessions), await get(other)];
    await sessions.set('sid', Object.assign(one, { n: 2 }));
    await other.set('sid', Object.assign(two, { n: 3 }));
    expect((await get(sessions))['n']).toEqual(n);
  });

  it('are not in each other’s way for their cookies', async () => {
    const { clock, sessions, other, begin, cookie } = setUp();
    await begin({});
    const [one, two] = [await get(sessions), await get(other)];
    clock.pass(10);
    await sessions.set('sid', Object.assign(one, { a: 1, cookie: cookie(2 * MINUTE_MS) }));
    await other.set('sid', Object.assign(two, { b: 1, cookie: cookie(3 * MINUTE_MS) }));
    expect(await get(sessions)).toMatchObject({ a: 1, b: 1, cookie: { originalMaxAge: 3 * MINUTE_MS } });
  });
});

it('whatever requests do to parts of their own, in whatever order they end, all of it is there', async () => {
  const part = fc.record({
    who: fc.nat(2),
    part: fc.constantFrom('top', 'inside', 'list', 'gone', 'save'),
    key: fc.nat(3),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 5, maxLength: 40 }), async (steps) => {
      const store = new MemoryStore();
      const servers = [0, 1, 2].map(() => closing(new HoldfastSessionStore({ store })));
      await servers[0]!.set('sid', { inside: {}, list: [] } as unknown as Values);
      const open = new Map<number, Use>();
      const model = new Map<string, number | undefined>();
      const items: number[] = [];
      for (const [n, { who, part: name, key }] of steps.entries()) {
        const own: Use = open.get(who) ?? { session: await get(servers[who]!), model: new Map(), items: [] };
        open.set(who, own);
        const { session } = own;
        const inside = session['inside'] as Record<string, number>;
        const mine = `${who}-${key}`;
        if (name === 'top') own.model.set(mine, (session[mine] = n));
        else if (name === 'inside') own.model.set(`inside ${mine}`, (inside[mine] = n));
        else if (name === 'list') own.items.push((session['list'] as number[]).push(n) && n);
        else if (name === 'gone') own.model.set(mine, void delete session[mine]);
        else await end(who);
      }
      for (const who of open.keys()) await end(who);
      const { list, inside, ...top } = await get(servers[0]!);
      expect((list as number[]).toSorted()).toEqual(items.toSorted());
      const found: [string, unknown][] = Object.entries(top);
      for (const [key, value] of Object.entries(inside as object)) found.push([`inside ${key}`, value]);
      const kept = [...model].filter(([, value]) => value !== undefined);
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(kept));

      async function end(who: number): Promise<void> {
        const own = open.get(who)!;
        open.delete(who);
        await servers[who]!.set('sid', own.session);
        for (const [path, value] of own.model) model.set(path, value);
        items.push(...own.items);
      }
    }),
    { numRuns: 50 },
  );
});

describe('an object that is saved again', () => {
  it('goes on from what it was saved with, beside what others have saved', async () => {
    const { sessions, other, begin } = setUp();
    await begin({ n: 1 });
    const one = await get(sessions);
    await other.set('sid', Object.assign(await get(other), { theirs: true }));
    const first = sessions.set('sid', Object.assign(one, { n: 2 }));
    const second = sessions.set('sid', Object.assign(one, { n: 3 })); // while the first is under way
    await Promise.all([first, second]);
    expect(await get(sessions)).toMatchObject({ n: 3, theirs: true });
  });

  it('is stored as it was when it was given', async () => {
    const { sessions, begin } = setUp();
    await begin({ list: [1] });
    const one = await get(sessions);
    const saving = sessions.set('sid', Object.assign(one, { list: [1, 2] }));
    (one['list'] as number[]).push(3);
    await saving;
    expect((await get(sessions))['list']).toEqual([1, 2]);
  });

  it('sends nothing that it has not changed', async () => {
    const { sessions, begin, appends } = setUp();
    await begin({ big: 'x'.repeat(10_000), n: 1 });
    const one = await get(sessions);
    appends.length = 0;
    await sessions.set('sid', one);
    expect(appends).toHaveLength(0);
    await sessions.set('sid', Object.assign(one, { n: 2 }));
    expect(appends).toHaveLength(1);
    expect(appends[0]!.bytes.length).toBeLessThan(100);
  });
});

it('a save whose answer is lost is what the next one begins from, if it was stored after all', async () => {
  let isLosing = false;
  const store = through(new MemoryStore(), {
    append: async (call) => {
      const answer = await call();
      if (!isLosing) return answer;
      throw new HoldfastError('ERR_UNAVAILABLE', 'the answer is lost', { outcome: 'unknown' });
    },
  });
  const sessions = closing(new HoldfastSessionStore({ store, storeTimeoutMs: 100 }));
  await sessions.set('sid', { n: 1 } as unknown as Values);
  const one = await get(sessions);
  isLosing = true;
  const lost = await error(sessions.set('sid', Object.assign(one, { n: 2 })));
  expect([lost.code, lost.outcome]).toEqual(['ERR_UNAVAILABLE', 'unknown']);
  isLosing = false;
  await sessions.set('sid', Object.assign(one, { n: 3 }));
  expect((await get(sessions))['n']).toBe(3);
});

describe('an object from elsewhere', () => {
  it('replaces all that was there', async () => {
    const { sessions, begin, cookie } = setUp();
    await begin({ a: 1, b: 2 });
    await sessions.set('sid', { cookie: cookie(), c: 3 } as unknown as Values);
    expect(Object.keys(await get(sessions)).toSorted()).toEqual(['c', 'cookie']);
  });

  it('also where it was handed out under another id', async () => {
    const { sessions, begin } = setUp();
    await begin({ a: 1 });
    await sessions.set('new', Object.assign(await get(sessions), { b: 2 }));
    expect(await get(sessions, 'new')).toMatchObject({ a: 1, b: 2 });
  });
});

describe('a session that was destroyed', () => {
  it('stays so, whatever is saved or touched under its id', async () => {
    const { sessions, other, begin, cookie } = setUp();
    await begin({ a: 1 });
    const [one, two] = [await get(sessions), await get(other)];
    await sessions.destroy('sid');
    await other.set('sid', Object.assign(one, { a: 2 }));
    await sessions.set('sid', Object.assign(two, { a: 3 }));
    await sessions.touch('sid', two);
    await other.touch('sid', { cookie: cookie() } as Values);
    await sessions.set('sid', { cookie: cookie(), foreign: true } as unknown as Values);
    expect(await get(sessions)).toBeUndefined();
    expect(await other.length()).toBe(0);
  });

  it('so is one that a cookie of the past ends', async () => {
    const { sessions, begin, cookie } = setUp();
    await begin({ a: 1 });
    const one = await get(sessions);
    await sessions.set('sid', Object.assign(await get(sessions), { cookie: cookie(-1) }));
    await sessions.set('sid', Object.assign(one, { a: 2 }));
    expect(await get(sessions)).toBeUndefined();
  });
});
