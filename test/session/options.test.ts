import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { defineSession, immutable, mutable, unclassified } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

// oxlint-disable-next-line no-explicit-any -- calls that TypeScript would refuse
type Wrong = any;

const definition = defineSession({ n: mutable<number>(() => 0), list: mutable<number[]>(() => []) });
const store = (): MemoryStore => new MemoryStore();
const make = (options: Wrong): unknown => new SessionRepository({ store: store(), definition, ...options });
const sessions = new SessionRepository({ store: store(), definition });
const loose = new SessionRepository({
  store: store(),
  definition: defineSession({}, { undeclared: mutable<number>() }),
});
const open = (): Promise<Wrong> => sessions.create() as Promise<Wrong>;
/** With a session of its own, closed afterwards. */
const on = (call: (session: Wrong) => unknown) => async (): Promise<void> => {
  const session = await open();
  try {
    await call(session);
  } finally {
    await session.close();
  }
};
const half = { ...Object.fromEntries(['read', 'append', 'lock'].map((name) => [name, () => undefined])) };

/** What is wrong, the call, and a word that the message must have. */
const CALLS: readonly [string, () => unknown, string][] = [
  ['no options', () => new SessionRepository(undefined as Wrong), 'options'],
  ['an array as options', () => new SessionRepository([] as Wrong), 'an array'],
  ['no store', () => new SessionRepository({ definition } as Wrong), 'openStore'],
  ['half a store', () => make({ store: half }), 'unlock'],
  ['null as a store', () => make({ store: null }), 'store'],
  ['the promise of a store', () => make({ store: Promise.resolve(store()) }), 'await openStore(…)'],
  ['the promise of a backup', () => make({ backups: [{ store: Promise.resolve() }] }), 'await openStore(…)'],
  ['a function as a store', () => make({ store: () => undefined }), 'store'],
  ['no definition', () => make({ definition: undefined }), 'defineSession'],
  ['attributes as a definition', () => make({ definition: { attributes: {} } }), 'defineSession'],
  ['an option that there is not', () => make({ ttl: 1000 }), `is 'ttlMs' meant?`],
  ['one quite unknown', () => make({ colour: 'red' }), 'there are store'],
  ['null as lock', () => make({ lock: null }), 'lock'],
  ['text as lock', () => make({ lock: 'lazy' }), 'lock'],
  ['an option of lock that there is not', () => make({ lock: { lease: 100 } }), `is 'lock.leaseMs' meant?`],
  ['a lease of no time', () => make({ lock: { leaseMs: 0 } }), 'lock.leaseMs'],
  ['a lease as text', () => make({ lock: { leaseMs: '100' } }), 'text'],
  ['an endless lease', () => make({ lock: { leaseMs: Infinity } }), 'lock.leaseMs'],
  ['a hold below 0', () => make({ lock: { minHoldMs: -1 } }), 'lock.minHoldMs'],
  [
    'a hold that must be longer than it may',
    () => make({ lock: { minHoldMs: 50, maxHoldMs: 20 } }),
    'lock.minHoldMs (50) must not be more than lock.maxHoldMs (20)',
  ],
  ['one longer than the default', () => make({ lock: { minHoldMs: 30_001 } }), 'than lock.maxHoldMs (30000)'],
  ['a hold that is no number', () => make({ lock: { maxHoldMs: NaN } }), 'lock.maxHoldMs'],
  ['a release that there is not', () => make({ lock: { release: 'never' } }), `'lazy', 'access'`],
  ['a save mode that there is not', () => make({ saveMode: 'sometimes' }), 'mutable-access'],
  ['text as onSaved', () => make({ onSaved: 'audit' }), 'onSaved'],
  ['a differencing that there is not', () => make({ differencing: 'tree' }), `'auto', 'binary', 'graph', 'off'`],
  [
    'one of an attribute',
    () => mutable(() => 1, { differencing: 'bytes' as 'off' }),
    `'auto', 'binary', 'graph', 'off'`,
  ],
  ['an engine that there is not', () => make({ engine: 'wasm' }), 'native'],
  ['compress as a boolean', () => make({ compress: true }), 'compress'],
  ['a ttl of no time', () => make({ ttlMs: 0 }), 'ttlMs'],
  ['a ttl as text', () => make({ ttlMs: '1h' }), 'ttlMs'],
  ['null as a ttl', () => make({ ttlMs: null }), 'ttlMs'],
  ['a ttl far below the lease', () => make({ ttlMs: 500 }), 'lock.leaseMs'],
  ['an age of no time', () => make({ maxAgeMs: 0.01 }), 'maxAgeMs must be a number from 1 on, not 0.01'],
  ['autosaves without end', () => make({ autosave: { everyMs: 1e-9 } }), 'autosave.everyMs must be a number from 1 on'],
  ['an age below 0', () => make({ maxAgeMs: -5 }), 'maxAgeMs'],
  ['tombstones for no time', () => make({ tombstoneTtlMs: 0 }), 'tombstoneTtlMs'],
  ['a limit that is no number', () => make({ limitBytes: NaN }), 'limitBytes'],
  ['a cache as text', () => make({ cacheBytes: '64 MiB' }), 'cacheBytes'],
  ['an endless store time-out', () => make({ storeTimeoutMs: Infinity }), 'storeTimeoutMs'],
  ['half a clock', () => make({ clock: { now: () => 0 } }), 'monotonic'],
  ['Date as a clock', () => make({ clock: Date }), 'clock'],
  ['entropy without fill', () => make({ entropy: { random: () => 1 } }), 'fill'],
  ['a backup that is no list', () => make({ backups: { store: store() } }), 'backups'],
  ['a store as a backup', () => make({ backups: [store()] }), 'backups[0] must be options, not a store itself'],
  ['a backup without a store', () => make({ backups: [{ ack: 'sync' }] }), 'backups[0]'],
  ['null as a backup', () => make({ backups: [null] }), 'backups[0]'],
  ['an ack that there is not', () => make({ backups: [{ store: store(), ack: 'never' }] }), 'backups[0].ack'],
  [
    'an option of a backup that there is not',
    () => make({ backups: [{ store: store(), timeout: 5 }] }),
    `is 'backups[0].timeoutMs' meant?`,
  ],
  ['what was once an option', () => make({ onBackupError: () => undefined }), 'onBackupError'],

  ['a save mode that there is not', () => make({ saveMode: 'writes' }), `not 'writes'`],
  ['an address in place of a store', () => make({ store: './sessions' }), 'not the address of one: await openStore'],
  ['a lease too short for an answer', () => make({ lock: { leaseMs: 0.01 } }), 'leaseMs must be a number from 1 on'],
  ['a ttl far below the lease, by the name of the call', () => make({ ttlMs: 5 }), 'SessionRepository: ttlMs must be'],

  ['defineSession of an array', () => defineSession([mutable()] as Wrong), 'defineSession'],
  ['defineSession of a Map', () => defineSession(new Map([['cart', mutable()]]) as Wrong), 'not a Map'],
  [
    'defineSession of an instance',
    () =>
      defineSession(
        new (class Shop {
          cart = mutable();
        })() as Wrong,
      ),
    'not a Shop',
  ],
  ['defineSession of what inherits', () => defineSession(Object.create({ cart: mutable() }) as Wrong), 'plain object'],
  [
    'an attribute under a symbol',
    () => defineSession({ [Symbol('cart')]: mutable() } as Wrong),
    'attribute Symbol(cart) has a symbol for its name',
  ],
  ['an attribute under half a character', () => defineSession({ 'a\ud800': mutable() }), 'not well-formed Unicode'],
  ['defineSession of nothing', () => defineSession(undefined as Wrong), 'defineSession'],
  ['an attribute that is a value', () => defineSession({ cart: [] } as Wrong), `'cart'`],
  ['an attribute that is its builder', () => defineSession({ cart: mutable } as Wrong), `'cart'`],
  ['undeclared: true', () => defineSession({}, { undeclared: true } as Wrong), 'undeclared'],
  [
    'undeclared that is required',
    () => defineSession({}, { undeclared: mutable(undefined, { required: true }) } as Wrong),
    'undeclared cannot be required',
  ],
  [
    'an option of the definition that there is not',
    () => defineSession({}, { dropped: ['a'] } as Wrong),
    `is 'drop' meant?`,
  ],
  ['drop as text', () => defineSession({}, { drop: 'old' } as Wrong), 'drop'],
  ['drop of numbers', () => defineSession({}, { drop: [1] } as Wrong), 'drop[0]'],
  ['a default that is no function', () => mutable([] as Wrong), 'function'],
  ['a version below 1', () => mutable(() => 0, { version: 0 }), 'version'],
  ['a version that is no whole number', () => immutable(() => 0, { version: 1.5 }), 'version'],
  ['migrate that is no function', () => unclassified(() => 0, { version: 1, migrate: 'x' as Wrong }), 'migrate'],
  ['migrate without a version', () => mutable(() => 0, { migrate: () => 1 }), 'version'],
  ['required with a default', () => mutable(() => 0, { required: true } as Wrong), 'default'],
  ['a merge policy that there is not', () => mutable(() => 0, { merge: 'max' as Wrong }), "'sum'"],
  [
    'a union without its function',
    () => mutable(() => [0], { merge: { union: 'id' } as Wrong }),
    'union: (item) => key',
  ],
  ['merge of what is set once', () => immutable(() => 0, { merge: 'mine' } as Wrong), "no option 'merge'"],
  ['an option of an attribute that there is not', () => mutable(() => 0, { optional: true } as Wrong), 'optional'],

  ['create of a number', () => sessions.create(5 as Wrong), 'create'],
  ['create of null', () => sessions.create(null as Wrong), 'null'],
  ['create of false', () => sessions.create(false as Wrong), 'false'],
  ['create of a list', () => sessions.create([] as Wrong), 'an array'],
  ['create of an attribute that there is not', () => sessions.create({ m: 1 } as Wrong), `"m"`],
  [
    'create of an undeclared one under half a character',
    () => loose.create({ '\udc00': 1 }),
    'not well-formed Unicode',
  ],
  [
    'create of a value under a symbol',
    () => loose.create({ [Symbol('m')]: 1 } as Wrong),
    'Symbol(m) has a symbol for its name',
  ],
  [
    'an attribute set under a symbol',
    on((session) => void (session.state[Symbol('m')] = 1)),
    'Symbol(m) has a symbol for its name',
  ],
  [
    'create with the id among the values',
    () => sessions.create({ id: 'a' } as Wrong),
    'options, create(values, { id })',
  ],
  ['create with an option there', () => sessions.create({ signal: 1 } as Wrong), 'create(values, { signal })'],
  ['open with an id to create it', () => sessions.open('s', { create: { id: 's' } as Wrong }), 'declare it, or allow'],
  ['create with an id that is no text', () => sessions.create({}, { id: 7 as Wrong }), 'id'],
  ['create with an empty id', () => sessions.create({}, { id: '' }), 'id'],
  ['open without an id', () => sessions.open(undefined as Wrong), 'id'],
  ['open with an option that there is not', () => sessions.open('s', { timeout: 5 } as Wrong), `is 'timeoutMs' meant?`],
  ['a mode that there is not', () => sessions.open('s', { mode: 'shared' as Wrong }), `'optimistic', 'read'`],
  ['open with retry', () => sessions.open('s', { mode: 'optimistic', retry: 1 } as Wrong), 'retry'],
  ['retry below 0', () => sessions.scope('s', () => 0, { mode: 'optimistic', retry: -1 }), 'retry'],
  ['retry under a lock', () => sessions.scope('s', () => 0, { retry: 1 } as Wrong), "retry is for mode 'optimistic'"],
  ['find with a mode', () => sessions.find('s', { mode: 'read' } as Wrong), 'mode'],
  ['read and create', () => sessions.open('s', { mode: 'read', create: true } as Wrong), "mode 'read' creates nothing"],
  ['read and hold', () => sessions.open('s', { mode: 'read', holdMs: 1 } as Wrong), "mode 'read' holds no lock"],
  ['open with create as a number', () => sessions.open('s', { create: 1 as Wrong }), 'create'],
  ['a time-out as text', () => sessions.open('s', { timeoutMs: '5' as Wrong }), 'timeoutMs'],
  ['a use that holds for no time', () => sessions.scope('s', () => undefined, { holdMs: 0 }), 'holdMs'],
  ['a use that holds for a word', () => sessions.find('s', { holdMs: 'long' } as Wrong), 'holdMs'],
  ['a time-out below 0', () => sessions.scope('s', () => undefined, { timeoutMs: -1 }), 'timeoutMs'],
  ['a time-out that is no number', () => sessions.find('s', { timeoutMs: NaN }), 'timeoutMs'],
  ['a signal that is none', () => sessions.open('s', { signal: {} as Wrong }), 'AbortSignal'],
  [
    'a controller as a signal',
    () => sessions.delete('s', { signal: new AbortController() as Wrong }),
    'AbortSignal, not an AbortController',
  ],
  ['null as options', () => sessions.find('s', null as Wrong), 'options'],
  ['a scope without a use', () => sessions.scope('s', undefined as Wrong), 'function'],
  ['a new id that is missing', on((session) => session.changeId(undefined)), 'not undefined'],
  ['a backup of none', () => sessions.backups.restore('s'), 'no backup 0: the repository has none; name them'],
  ["a backup's number as text", () => sessions.backups.restore('s', '0' as Wrong), 'a number, not text'],
  ["a backup's number that is null", () => sessions.backups.behind(null as Wrong), 'a number, not null'],
  ['what no session has for its id, to be restored', () => sessions.backups.restore('x'.repeat(300)), '300 bytes'],
  ['what no session has for its id, to be caught up', () => sessions.backups.catchUp('x'.repeat(300)), '300 bytes'],
  ['observe without a listener', () => sessions.observe('sent' as Wrong), 'function'],
  ['a grace over a minute', () => sessions.changeId('s', 't', { graceMs: 60_001 }), 'graceMs'],
  ['replace(null)', on((session) => session.replace(null)), 'null'],
  ['replace of a Map', on((session) => session.replace(new Map())), 'Map'],
  ['assign of nothing', on((session) => session.assign(undefined)), 'undefined'],
  ['assign of text', on((session) => session.assign('n=1')), 'text'],
  ['expire in no time', on((session) => session.expire(0)), 'ttlMs'],
  ['expire far below the lease', on((session) => session.expire(100)), 'lock.leaseMs'],
  ['a grace as text', on((session) => session.changeId('x', { graceMs: '5' })), 'graceMs'],
  [
    'a new id that is none',
    on(async (session) => {
      session.state.n = 1;
      await session.changeId(5);
    }),
    'id',
  ],
];

describe('a wrong call is refused as ERR_INVALID, and says what is wrong', () => {
  it.each(CALLS)('%s', async (_name, call, word) => {
    const error = await (async () => call())().then(
      () => 'nothing was thrown',
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code: 'ERR_INVALID' });
    expect((error as Error).message).toContain(word);
  });
});

it.each([[undefined], [{ release: undefined, leaseMs: undefined, minHoldMs: undefined, maxHoldMs: undefined }]])(
  'options that are undefined are as good as absent, lock: %j',
  async (lock) => {
    const options = { ttlMs: undefined, lock, backups: undefined, saveMode: undefined, clock: undefined };
    const repository = new SessionRepository({ store: store(), definition, ...(options as object) });
    await repository.scope('s', (state) => void (state.n = 1), {
      create: true,
      timeoutMs: undefined,
      signal: undefined,
    });
  },
);

it('a signal that aborts ends the wait with its reason', async () => {
  const held = await sessions.create({}, { id: 'held' });
  const stop = new AbortController();
  const waiting = sessions.open('held', { signal: stop.signal });
  stop.abort(new RangeError('enough'));
  await expect(waiting).rejects.toThrow(RangeError);
  await expect(sessions.open('held', { signal: stop.signal })).rejects.toThrow(RangeError);
  await held.close();
});

it('a wrong option is told of by the name of the call that it was given to', async () => {
  await expect(sessions.scope('s', () => undefined, { holdMs: -1 })).rejects.toThrow(/^scope: holdMs/);
  await expect(sessions.open('s', { holdMs: -1 })).rejects.toThrow(/^open: holdMs/);
  await expect(sessions.find('s', { holdMs: -1 })).rejects.toThrow(/^find: holdMs/);
});

it('a repository that is closed says what to do', async () => {
  const closed = new SessionRepository({ store: store(), definition });
  await closed.close();
  for (const call of [() => closed.read('s'), () => closed.open('s'), () => closed.delete('s'), () => closed.create()])
    await expect(call()).rejects.toMatchObject({
      code: 'ERR_CLOSED',
      message: expect.stringMatching(/is closed: make another with new SessionRepository/) as string,
    });
});

it('a hold that may be shorter than the least by default makes that as short', () => {
  expect(() => make({ lock: { maxHoldMs: 1 } })).not.toThrow();
});
