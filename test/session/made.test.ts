import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { formatPath } from '../../ts/path.ts';
import { defineSession, immutable, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

class Cart {
  lines = [];
}

const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);

/** What a definition's function does wrong, the path that the error names, and what it says. */
const WRONG: readonly (readonly [name: string, make: () => unknown, path: string, says: RegExp])[] = [
  ['returns a function', () => () => 1, 'x', /is a function/],
  ['returns a function inside', () => ({ on: [{ f: () => 1 }] }), 'x.on[0].f', /is a function/],
  ['returns a symbol', () => Symbol('s'), 'x', /is a symbol/],
  ['returns an instance', () => ({ cart: new Cart() }), 'x.cart', /is an instance of Cart/],
  ['returns an instance in a Map', () => new Map([['k', new Cart()]]), 'x.get("k")', /is an instance of Cart/],
  ['returns a WeakMap', () => new WeakMap(), 'x', /is an instance of WeakMap/],
  ['returns what is too deep', () => deep(1_001), 'x', /nested deeper than 1000: keep it flatter/],
  [
    'returns a getter that throws',
    () => ({
      get y(): number {
        throw new RangeError('secret');
      },
    }),
    'x.y',
    /returned what cannot be kept: x\.y could not be read \(RangeError, see `cause`\)/,
  ],
  [
    'throws what is no error',
    () => {
      throw 5;
    },
    'x',
    /threw \(no error, see/,
  ],
  ['is async', async () => [], 'x', /returned a promise: it must return the value itself/],
  ['is async and rejects', async () => Promise.reject(new Error('late')), 'x', /returned a promise/],
  ['returns a thenable', () => ({ then: () => undefined }), 'x', /returned a promise/],
  [
    'throws',
    () => {
      throw new RangeError('secret');
    },
    'x',
    /threw \(RangeError, see `cause`\)/,
  ],
];

async function refused(run: () => Promise<unknown>): Promise<HoldfastError> {
  const error: unknown = await run().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof HoldfastError) return error;
  throw new Error(`no HoldfastError but ${String(error)}`);
}

function check(error: HoldfastError, by: string, path: string, says: RegExp): void {
  expect(error.message).toMatch(says);
  expect(error.message).not.toContain('secret');
  expect([error.message.startsWith(`x: its ${by} `), error.paths?.map(formatPath)[0]]).toEqual([true, path]);
}

describe.each(WRONG)('a function of the definition that %s', (name, make, path, says) => {
  it('as a default is refused at its first use, by the attribute\u2019s name', async () => {
    const store = new MemoryStore();
    const definition = defineSession({ n: mutable<number>(() => 0), x: mutable<unknown>(make) });
    const sessions = new SessionRepository({ store, definition });
    await sessions.scope('s', (state) => void (state.n = 1), { create: {} });
    const errors = [
      await refused(() => sessions.scope('s', (state) => void state.x)),
      await refused(() => sessions.read('s')),
    ];
    for (const error of errors) check(error, 'default', path, says);
    if (name === 'throws') expect(errors[0]?.cause).toEqual(new RangeError('secret'));
    await sessions.scope('s', (state) => void (state.x = 'given'));
    expect(await sessions.read('s')).toEqual({ n: 1, x: 'given' });
  });

  it('as a default of an immutable attribute makes no session', async () => {
    const store = new MemoryStore();
    const sessions = new SessionRepository({ store, definition: defineSession({ x: immutable<unknown>(make) }) });
    check(await refused(() => sessions.create({}, { id: 's' })), 'default', path, says);
    expect([await sessions.read('s'), (await store.inspect('s')).lock.holder]).toEqual([undefined, undefined]);
  });

  it('as `migrate` is refused when an old value is read, which stays', async () => {
    const store = new MemoryStore();
    const old = new SessionRepository({ store, definition: defineSession({ x: mutable<unknown>() }) });
    await old.scope('s', (state) => void (state.x = 'old'), { create: {} });
    const definition = defineSession({ x: mutable<unknown>(undefined, { version: 2, migrate: make }) });
    const sessions = new SessionRepository({ store, definition });
    const error = await refused(() => sessions.scope('s', (state) => void state.x));
    check(error, '`migrate` (from version 0 to 2)', path, says);
    if (name === 'throws') expect(error.cause).toEqual(new RangeError('secret'));
    expect(await old.read('s')).toEqual({ x: 'old' });
  });
});

it('a value that is nested too deep is refused by the name of its attribute, however it is given', async () => {
  const definition = defineSession({ fixed: immutable<unknown>(), x: mutable<unknown>(() => ({})) });
  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  const errors = [
    await refused(() => sessions.create({ fixed: deep(1_001) })),
    await refused(() => sessions.create({ x: deep(1_002) })),
    await refused(() =>
      sessions.scope('s', (state) => void ((state.x as { y: unknown }).y = deep(1_002)), { create: {} }),
    ),
  ];
  expect(errors.map(({ message }) => message)).toEqual([
    'fixed is nested deeper than 1000: keep it flatter',
    'x is nested deeper than 1000: keep it flatter',
    'x is nested deeper than 1000: keep it flatter',
  ]);
});
