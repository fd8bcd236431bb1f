import fastifyCookie from '@fastify/cookie';
import fastifySession from '@fastify/session';
import type { SessionStore } from '@fastify/session';
import { Session as ExpressSession } from 'express-session';
import fastify from 'fastify';
import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Store } from '../../ts/store/store.ts';
import { VirtualClock } from '../../ts/testing/virtual-clock.ts';
import { HoldfastSessionStore } from '../../ts/web/drop-in/express-session.ts';
import type { DropInOptions } from '../../ts/web/drop-in/express-session.ts';
import { HoldfastSessionStore as FastifySessionStore } from '../../ts/web/drop-in/fastify-session.ts';
import { hashedId } from '../../ts/web/sid.ts';
import { through } from '../store/through.ts';
import { MINUTE_MS, closing, error, get, setUp } from './drop-in.ts';
import type { Values } from './drop-in.ts';

describe('the expiry', () => {
  it('is kept to the millisecond by get, all and length', async () => {
    const { clock, sessions, cookie } = setUp();
    await sessions.set('short', { cookie: cookie(50) } as Values);
    await sessions.set('long', { cookie: cookie(51) } as Values);
    clock.pass(49);
    expect(await sessions.length()).toBe(2);
    expect(Object.keys(await sessions.all()).toSorted()).toEqual([hashedId('long'), hashedId('short')].toSorted());
    clock.pass(1);
    expect(await get(sessions, 'short')).toBeUndefined();
    expect(Object.keys(await sessions.all())).toEqual([hashedId('long')]);
    expect(await sessions.length()).toBe(1);
    clock.pass(1);
    expect([await get(sessions, 'long'), await sessions.length()]).toEqual([undefined, 0]);
  });

  it('moves by touch, which writes no record, and the next get shows it', async () => {
    const { clock, sessions, other, begin, appends, cookie } = setUp();
    await begin({ a: 1 });
    const [one, two] = [await get(sessions), await get(other)];
    appends.length = 0;
    clock.pass(MINUTE_MS - 1);
    await sessions.touch('sid', Object.assign(one, { cookie: cookie() }));
    expect((await get(other)).cookie.expires).toEqual(new Date(clock.now() + MINUTE_MS));
    clock.pass(MINUTE_MS - 1);
    const near = { ...cookie(), expires: new Date(clock.now() + 5) };
    await other.touch('sid', { cookie: near } as Values); // an object from elsewhere
    expect((await get(sessions)).cookie.expires).toEqual(new Date(clock.now() + 5));
    expect(appends).toHaveLength(0);
    clock.pass(5);
    await other.touch('sid', two);
    expect(await get(sessions)).toBeUndefined();
  });

  it('does not move by reading', async () => {
    const { clock, sessions, begin } = setUp();
    await begin({});
    const { expires } = (await get(sessions)).cookie;
    clock.pass(MINUTE_MS - 1);
    expect((await get(sessions)).cookie.expires).toEqual(expires);
    clock.pass(1);
    expect(await get(sessions)).toBeUndefined();
  });

  it('touch keeps what else was changed in the cookie, and no value', async () => {
    const { sessions, begin, cookie } = setUp();
    await begin({ a: 1 });
    await sessions.touch('sid', Object.assign(await get(sessions), { a: 2, cookie: cookie(5 * MINUTE_MS) }));
    const { a, cookie: kept } = await get(sessions);
    expect([a, kept.originalMaxAge]).toEqual([1, 5 * MINUTE_MS]);
  });

  it('of a cookie without a date is ttlMs after the last touch', async () => {
    const { clock, sessions } = setUp({ ttlMs: 100 });
    await sessions.set('sid', { cookie: { originalMaxAge: null, expires: null } } as Values);
    clock.pass(99);
    const one = await get(sessions);
    expect(one.cookie.expires).toBeNull();
    await sessions.touch('sid', one);
    clock.pass(99);
    expect(await get(sessions)).toBeDefined();
    clock.pass(1);
    expect(await get(sessions)).toBeUndefined();
  });

  it('does not depend on the clocks of server and store being equal', async () => {
    const clock = new VirtualClock();
    const behind = new VirtualClock();
    behind.jump(-30 * 365 * 24 * 60 * MINUTE_MS);
    const sessions = closing(new HoldfastSessionStore({ store: new MemoryStore({ clock }), clock: behind }));
    const expires = new Date(behind.now() + MINUTE_MS);
    await sessions.set('sid', { cookie: { originalMaxAge: MINUTE_MS, expires } } as Values);
    for (const one of [clock, behind]) one.pass(MINUTE_MS - 1);
    expect((await get(sessions)).cookie.expires).toEqual(expires);
    for (const one of [clock, behind]) one.pass(1);
    expect(await get(sessions)).toBeUndefined();
  });
});

it('backups have what is saved, the expiry that was moved, and the end', async () => {
  const backup = new MemoryStore();
  const sessions = closing(new HoldfastSessionStore({ store: new MemoryStore(), backups: [{ store: backup }] }));
  const cookie = (ms: number) => ({ originalMaxAge: MINUTE_MS, expires: new Date(Date.now() + ms) });
  await sessions.set('sid', { cookie: cookie(MINUTE_MS) } as Values);
  const { head: begun } = await backup.inspect(hashedId('sid'));
  await sessions.touch('sid', Object.assign(await get(sessions), { cookie: cookie(2 * MINUTE_MS) }));
  const { head: touched } = await backup.inspect(hashedId('sid'));
  expect([begun?.state, touched?.position]).toEqual(['live', begun?.position]);
  expect(touched!.leftMs).toBeGreaterThan(MINUTE_MS);
  await sessions.destroy('sid');
  expect((await backup.inspect(hashedId('sid'))).head?.state).toBe('ended');
});

describe('values', () => {
  it('come back as they were, also without a cookie', async () => {
    const { sessions, other } = setUp();
    const values = {
      date: new Date(5),
      map: new Map<unknown, unknown>([['a', { b: new Set([1n]) }]]),
      bytes: Uint8Array.of(1, 2, 3),
      nothing: null,
      'a.b': { __proto__: null, deep: [undefined, -0] },
    };
    await sessions.set('sid', values as unknown as Values);
    expect(await get(other)).toEqual(values);
  });

  it('have no code: what JSON would make of it is kept', async () => {
    class Money {
      cents = 5;
      twice(): number {
        return 2 * this.cents;
      }
    }
    class ObjectId {
      toJSON(): string {
        return 'oid';
      }
    }
    const { sessions } = setUp();
    const user = { id: new ObjectId(), money: new Money(), since: new Date(7), call: () => 1, list: [() => 1, 2] };
    await sessions.set('sid', { user, call: () => 1, sign: Symbol('s') } as unknown as Values);
    expect(await get(sessions)).toEqual({
      user: { id: 'oid', money: { cents: 5 }, since: new Date(7), list: [null, 2] },
    });
    const loop: Record<string, unknown> = { call: () => 1 };
    loop['loop'] = loop;
    expect((await error(sessions.set('sid', { loop } as unknown as Values))).message).toMatch(/'loop' holds/);
  });
});

describe('the store', () => {
  it('hashes the id: below it nobody sees what is in the cookie', async () => {
    const { memory, appends, sessions, begin } = setUp();
    await begin({ a: 1 });
    expect((await memory.list({ limit: 10 })).ids).toEqual([hashedId('sid')]);
    expect(hashedId('sid')).toMatch(/^[\w-]{43}$/);
    await sessions.destroy('sid');
    for (const { bytes } of appends) expect(Buffer.from(bytes).includes('sid')).toBe(false);
  });

  it('calls back, each in a turn of its own, or gives promises', async () => {
    const { sessions, cookie } = setUp();
    const calls: unknown[] = [];
    await new Promise<void>((resolve) => {
      sessions.set('sid', { cookie: cookie(), a: 1 } as unknown as Values, (thrown) => {
        calls.push(thrown);
        resolve();
      });
      calls.push('later');
    });
    const found = await new Promise((resolve) => sessions.get('sid', (_, session) => resolve(session)));
    expect(calls).toEqual(['later', null]);
    expect(found).toMatchObject({ a: 1 });
    sessions.touch('sid', found as Values);
    await sessions.clear();
    expect([await sessions.length(), await sessions.all()]).toEqual([0, {}]);
  });

  it('takes the promise of one, and tells of its failure in each call', async () => {
    const failing = Promise.reject(new Error('no disk'));
    const sessions = new HoldfastSessionStore({ store: failing as Promise<Store> });
    const told = await error(sessions.get('sid'));
    expect([told.code, (told.cause as Error).message]).toEqual(['ERR_UNAVAILABLE', 'no disk']);
    expect(await new Promise((resolve) => sessions.length(resolve))).toMatchObject({ code: 'ERR_UNAVAILABLE' });
    const opened = closing(new HoldfastSessionStore({ store: Promise.resolve(new MemoryStore()) }));
    expect(await opened.get('sid')).toBeUndefined();
  });

  it.each([
    ['no store', {}, /needs `store`/],
    ['an address', { store: './sessions' }, /store/],
    ['a policy that is none', { store: Promise.resolve(), conflicts: 'sum' }, /conflicts must be/],
    ['another name', { store: Promise.resolve(), ttl: 5 }, /is 'ttlMs' meant/],
    ['a legacy store that is none', { store: Promise.resolve(), legacy: {} }, /legacy/],
  ])('says what is wrong with its options: %s', (_, options, message) => {
    expect(() => new HoldfastSessionStore(options as unknown as DropInOptions)).toThrow(message);
  });
});

it('says what is wrong with a call', async () => {
  const { sessions, begin } = setUp();
  for (const id of ['', undefined]) expect((await error(sessions.get(id as string))).code).toBe('ERR_INVALID');
  for (const one of [undefined, null, 'text']) {
    expect((await error(sessions.set('sid', one as unknown as Values))).code).toBe('ERR_INVALID');
    expect((await error(sessions.touch('sid', one as unknown as Values))).code).toBe('ERR_INVALID');
  }
  expect((await error(begin({ 'half \ud800': 1 }))).message).toMatch(/not well-formed/);
  const names = { '': 1, constructor: 2, toString: 3, ['__proto__']: 4, 'a.b': 5 };
  await begin(names);
  expect(await get(sessions)).toMatchObject(names);
});

describe('the packages’ own session objects', () => {
  it('of express-session are what `get` gave', async () => {
    const { sessions, other, begin } = setUp();
    await begin({ n: 1, list: [] });
    const request = { sessionID: 'sid', sessionStore: sessions } as unknown as Parameters<
      HoldfastSessionStore['createSession']
    >[0];
    const session = sessions.createSession(request, await get(sessions)) as unknown as Values;
    expect(session).toBeInstanceOf(ExpressSession);
    await other.set('sid', Object.assign(await get(other), { theirs: true }));
    await sessions.set('sid', Object.assign(session, { list: ['mine'] }));
    expect(await get(sessions)).toMatchObject({ theirs: true, list: ['mine'] });
  });

  it('of @fastify/session keep what they came of in the options of their cookie', async () => {
    const { store, clock, other, begin } = setUp();
    await begin({ n: 1 });
    const sessions: FastifySessionStore & SessionStore = closing(new FastifySessionStore({ store, clock }));
    const data = (await sessions.get('sid')) as Values;
    // As that package makes its session of what it is given.
    const session = { [Symbol('cookieOpts')]: { ...data.cookie }, cookie: data.cookie, n: 1, mine: true };
    expect(JSON.stringify(data)).not.toContain('handed');
    await other.set('sid', Object.assign(await get(other), { theirs: true }));
    await sessions.set('sid', session);
    expect(await get(other)).toMatchObject({ theirs: true, mine: true });
  });

  it('of @fastify/session that roll send no record where nothing has changed', async () => {
    let appends = 0;
    const store = through(new MemoryStore(), { append: (call) => ((appends += 1), call()) });
    const sessions = closing(new FastifySessionStore({ store }));
    const app = fastify();
    await app.register(fastifyCookie);
    await app.register(fastifySession, {
      store: sessions,
      secret: 's'.repeat(32),
      cookie: { maxAge: MINUTE_MS, secure: false },
    });
    app.get('/', (request) => (Object(request.session) as Record<string, unknown>)['user'] ?? 'nobody');
    app.get('/login', (request) => Object.assign(request.session, { user: 'ann' })['user']);
    const login = await app.inject('/login');
    const { name, value } = login.cookies[0]!;
    appends = 0;
    for (let n = 0; n < 3; n += 1)
      expect((await app.inject({ url: '/', cookies: { [name]: value } })).body).toBe('ann');
    expect(appends).toBe(0);
    await app.close();
  });
});
