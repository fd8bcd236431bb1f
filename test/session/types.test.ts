import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { defineSession, immutable, mutable, unclassified } from '../../ts/session/definition.ts';
import type { CopyOf, RepositoryOf, SessionOf, StateOf, ValuesOf } from '../../ts/session/definition.ts';
import type { Session } from '../../ts/session/session.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';

/**
 * Checked by the compiler (`npm run types`): each `@ts-expect-error` must be an error, everything else must be none.
 */
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
type State = StateOf<typeof definition>;

it('knows which policies of merging suit an attribute', () => {
  mutable(() => 0, { merge: 'sum' });
  mutable<Item[]>(() => [], { merge: { union: (item) => item.sku } });
  mutable<{ items: Item[] }>(() => ({ items: [] }), { merge: { union: (item: Item) => item.sku } });
  unclassified<'light' | 'dark'>(() => 'light', { merge: ({ mine }) => mine });
  mutable<bigint>(undefined, { merge: 'sum', required: true });
  const compiledOnly = () => [
    // @ts-expect-error text is no sum
    mutable(() => '', { merge: 'sum' }),
    // @ts-expect-error a number has no elements
    mutable(() => 0, { merge: { union: () => 0 } }),
    // @ts-expect-error an item has no id
    mutable<Item[]>(() => [], { merge: { union: (item) => item.id } }),
    // @ts-expect-error no such policy
    mutable(() => 0, { merge: 'max' }),
  ];
  expect(compiledOnly).toBeTypeOf('function');
});

it('knows what of an attribute can be frozen', () => {
  interface Account {
    plan: { limits: { seats: number } };
    'e-mail'?: string;
    lines: Item[];
  }
  mutable<Account>(undefined, {
    frozen: ['plan.limits.seats', ['plan', 'limits'], '["e-mail"]', ['e-mail'], 'plan["limits"]'],
  });
  interface Chain {
    next?: Chain;
    either?: { one: string } | { other: { deep: number } };
    free: Record<string, { n: number }>;
    untold: unknown;
  }
  mutable<Chain>(undefined, { frozen: ['next.next.next.next.next.whatever', ['next', 'next', 'next', 'next', 'any']] });
  mutable<Chain>(undefined, {
    frozen: ['either.other.deep', ['either', 'one'], 'free.a.n', ['untold', 'a', 'b', 'c', 'd']],
  });
  mutable(() => ({ plan: { seats: 3 }, text: '' }), { frozen: ['plan'], differencing: 'graph' });
  mutable<Account | undefined>(() => undefined, { frozen: ['lines'] });
  mutable<Record<string, number>>(() => ({}), { frozen: ['any'] });
  mutable<unknown>(undefined, { frozen: ['any.thing'] });
  const any = mutable(undefined, { frozen: ['name'] });
  const untold = defineSession({ any });
  const state: StateOf<typeof untold> = { any: 'what a path says nothing of' };
  const compiledOnly = () => [
    // @ts-expect-error misspelt
    mutable(() => ({ plan: { seats: 3 } }), { frozen: ['plans'] }),
    // @ts-expect-error misspelt
    mutable<Account>(undefined, { frozen: [['plans', 'limits']] }),
    // @ts-expect-error misspelt further in
    mutable<Account>(undefined, { frozen: ['plan.limit'] }),
    // @ts-expect-error misspelt further in
    mutable<Account>(undefined, { frozen: [['plan', 'limits', 'seat']] }),
    // @ts-expect-error misspelt in one of a union
    mutable<{ plan?: Account['plan'] | { free: true } }>(undefined, { frozen: ['plan.fre'] }),
    // @ts-expect-error a number has none
    mutable<Account>(undefined, { frozen: ['plan.limits.seats.n'] }),
    // @ts-expect-error a number has no portions
    mutable(() => 0, { frozen: ['a'] }),
    // @ts-expect-error entries of a Map are none
    mutable(() => new Map([['a', 1]]), { frozen: ['a'] }),
    // @ts-expect-error nor are places of a list
    mutable<Item[]>(() => [], { frozen: ['0'] }),
    // @ts-expect-error it is frozen as a whole
    immutable(() => ({ plan: 1 }), { frozen: ['plan'] }),
  ];
  expect(state).toBeTypeOf('object');
  expect(compiledOnly).toBeTypeOf('function');
});

it('gives the state of a use that only reads, which it can change nowhere', () => {
  const compiledOnly = async (sessions: RepositoryOf<typeof definition>): Promise<void> => {
    const visits: number = await sessions.scope('s', (state) => state.visits, { mode: 'read' });
    await sessions.scope('s', (state) => void (state.visits = visits), { mode: 'optimistic', retry: 2 });
    const session = await sessions.open('s', { mode: 'read' });
    // @ts-expect-error read-only
    session.state.visits = 1;
    await sessions.scope(
      's',
      (_state, { state }) => {
        // @ts-expect-error read-only
        state.visits = 1;
      },
      { mode: 'read' },
    );
    // @ts-expect-error read-only inside as well
    await sessions.scope('s', (state) => state.cart.push({ sku: 'a', tags: [] }), { mode: 'read' });
    // @ts-expect-error creates nothing
    await sessions.open('s', { mode: 'read', create: true });
    // @ts-expect-error holds nothing
    await sessions.open('s', { mode: 'read', holdMs: 1000 });
    // @ts-expect-error is refused for nothing that others save
    await sessions.scope('s', () => undefined, { retry: 1 });
    // @ts-expect-error is refused for nothing that others save
    await sessions.scope('s', () => undefined, { mode: 'exclusive', retry: 1 });
    const mode = visits > 1 ? ('optimistic' as const) : ('exclusive' as const);
    await sessions.scope('s', () => undefined, { mode, retry: 0 });
    // @ts-expect-error is no option of open
    await sessions.open('s', { mode: 'optimistic', retry: 1 });
  };
  expect(compiledOnly).toBeTypeOf('function');
});

it('gives the state the declared types', async () => {
  holds<Same<State['cart'], Item[]>>();
  holds<Same<State['note'], string | undefined>>();
  holds<Same<State['theme'], 'light' | 'dark'>>();
  holds<Same<State['visits'], number>>();
  holds<Same<State['since'], Date>>();
  holds<Same<State['user'], { readonly name: string; readonly roles: readonly string[] } | undefined>>();

  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  await sessions.scope(
    's',
    (state, session) => {
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
    },
    { create: true },
  );

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
  expect(await sessions.scope('s', ({ cart }) => cart.length, { create: true })).toBe(1);
});

it('gives undeclared attributes the type of the option', async () => {
  const open = defineSession({ n: mutable<number>(() => 0) }, { undeclared: mutable<number | string[]>() });
  const sessions = new SessionRepository({ store: new MemoryStore(), definition: open });
  await sessions.scope(
    's',
    (state) => {
      state['anything'] = ['x'];
      const n: number = state.n;
      state['more'] = n;
      // @ts-expect-error neither number nor strings
      state['wrong'] = true;
      delete state['wrong'];
    },
    { create: true },
  );
  expect(await sessions.read('s')).toEqual({ anything: ['x'], more: 0, n: 0 });
});

it('lets undeclared attributes be of another type than the declared ones', async () => {
  const mixed = defineSession(
    { n: mutable<number>(() => 0), at: immutable<Date>() },
    { undeclared: mutable<string>() },
  );
  const sessions = new SessionRepository({ store: new MemoryStore(), definition: mixed });
  const session = await sessions.create({ n: 1, at: new Date(1), colour: 'red' });
  const n: number = session.state.n;
  const colour = session.state['colour'];
  if (typeof colour === 'string') session.state['shade'] = colour;
  // @ts-expect-error neither a string nor what is declared
  session.state['wrong'] = { no: true };
  delete session.state['wrong'];
  await session.saveAndClose();
  expect([n, await sessions.read(session.id)]).toEqual([1, { n: 1, at: new Date(1), colour: 'red', shade: 'red' }]);
});

it('asks for types that nothing says', () => {
  const untyped = defineSession({ any: mutable(), list: mutable(() => []), inner: mutable(() => ({ a: 1 })) });
  type Untyped = StateOf<typeof untyped>;
  holds<Same<Untyped['any'], unknown>>();
  holds<Same<Untyped['list'], unknown[]>>();
  holds<Same<Untyped['inner'], { a: number }>>();
  const migrated = defineSession({
    list: mutable<string[]>(() => [], { version: 2, migrate: (old) => [String(old)] }),
  });
  holds<Same<StateOf<typeof migrated>['list'], string[]>>();
  // @ts-expect-error migrates to another type
  const wrong = (): unknown => mutable<string[]>(() => [], { version: 2, migrate: () => 5 });
  expect(wrong).toBeTypeOf('function');
});

type Json = null | string | number | boolean | Json[] | { [key: string]: Json } | Map<string, Json> | Set<Json>;
type List = { next: List | null; seen: readonly List[] };
interface Part {
  kind: 'a' | 'b';
  parts?: Part[];
  readonly owner: { part: Part; meta: Record<string, Json> };
  at: [Date, Buffer, Float32Array?];
}

it('takes every type of data, those that contain themselves too', () => {
  const all = defineSession(
    {
      json: mutable<Json>(),
      list: mutable<List | undefined>(() => undefined),
      part: immutable<Part>(undefined, { required: true }),
      some: unclassified<Partial<Part> | null>(() => null),
      by: mutable(() => new Map<string, Set<bigint>>()),
      loose: mutable(() => new Map()),
      brand: mutable<string & { readonly __brand: 'id' }>(),
      tuple: mutable<readonly [number, string?]>(() => [1]),
      empty: mutable<{ list: string[] }>(() => ({ list: [] })),
      bag: mutable<Record<string, unknown>>(() => ({})),
      mode: mutable(() => ({ on: false, mode: 'x' as 'x' | 'y' })),
      text: mutable(() => 'light'),
    },
    { undeclared: mutable<Json>() },
  );
  type All = StateOf<typeof all>;
  holds<Same<All['json'], Json | undefined>>();
  holds<Same<All['tuple'], readonly [number, string?]>>();
  holds<Same<All['text'], string>>();
  holds<Same<All['mode'], { on: boolean; mode: 'x' | 'y' }>>();
  holds<Same<ValuesOf<typeof all>['part'], Part>>();
});

it('takes no type that cannot be kept', () => {
  class Cart {
    lines: string[] = [];
    add(line: string): void {
      this.lines.push(line);
    }
  }
  const compiledOnly = (): unknown => [
    // @ts-expect-error a function
    defineSession({ x: mutable<() => void>() }),
    // @ts-expect-error a function inside, given by the default
    defineSession({ x: mutable(() => ({ inner: { f: () => 1 } })) }),
    // @ts-expect-error perhaps a function
    defineSession({ x: unclassified<{ on?: () => void }>(() => ({})) }),
    // @ts-expect-error a promise
    defineSession({ x: immutable(async () => 5) }),
    // @ts-expect-error promises in a Map
    defineSession({ x: mutable<Map<string, Promise<void>>>() }),
    // @ts-expect-error symbols in a Set in an array
    defineSession({ x: mutable<Set<symbol>[]>() }),
    // @ts-expect-error an instance with methods
    defineSession({ x: mutable<Cart>(undefined, { required: true }) }),
    // @ts-expect-error a class
    defineSession({ x: mutable<typeof Cart>(undefined, { version: 1 }) }),
    // @ts-expect-error a WeakMap
    defineSession({ x: mutable<WeakMap<object, string>>() }),
    // @ts-expect-error an empty array that says nothing of its elements
    defineSession({ x: mutable(() => ({ list: [] })) }),
    // @ts-expect-error deeper inside
    defineSession({ x: mutable(() => ({ a: [{ list: [] }] })) }),
    // @ts-expect-error under any name
    defineSession({}, { undeclared: mutable<() => void>() }),
    // @ts-expect-error a migration that has to be awaited
    defineSession({ x: mutable<number>(() => 0, { version: 2, migrate: async () => 5 }) }),
  ];
  expect(compiledOnly).toBeTypeOf('function');
});

it('says in the message what of a type cannot be kept, and where', () => {
  const said = compile([
    `import { defineSession, mutable } from '../../ts/index.ts';`,
    `export const one = defineSession({ x: mutable(() => ({ inner: { f: () => 1 }, n: 0 })) });`,
    `export const two = defineSession({ x: mutable(() => ({ list: [] })) });`,
  ]);
  expect(said).toMatch(/'{ inner: { f: NotKept<"is no data: functions, symbols, promises/);
  expect(said).toMatch(/'{ list: NotKept<"is an empty array, which says nothing of its elements: name the type, as in/);
}, 60_000);

const owned = defineSession({
  user: immutable<{ roles: string[] }>(undefined, { required: true }),
  plan: mutable<string>(undefined, { required: true }),
  n: mutable<number>(() => 0),
});

it('requires what is required when a session is made, and only then', async () => {
  const sessions = new SessionRepository({ store: new MemoryStore(), definition: owned });
  holds<
    Same<StateOf<typeof owned>, { plan: string; n: number; readonly user: { readonly roles: readonly string[] } }>
  >();
  holds<Same<ValuesOf<typeof owned>, { user: { roles: string[] }; plan: string; n?: number }>>();
  const compiledOnly = (): unknown[] => [
    // @ts-expect-error without values
    sessions.create(),
    // @ts-expect-error without plan
    sessions.create({ user: { roles: [] } }),
    // @ts-expect-error values are required
    sessions.open('s', { create: true }),
    // @ts-expect-error so they are here
    sessions.scope('s', () => undefined, { create: true }),
    // @ts-expect-error replaced by a state without plan
    sessions.scope('s', (_, session) => session.replace({ user: { roles: [] } })),
    sessions.scope('s', (_, session) => session.assign({ n: 2 })),
    sessions.open('s'),
    sessions.find('s'),
  ];
  expect(compiledOnly).toBeTypeOf('function');
  await sessions.scope('s', ({ plan }) => expect(plan).toBe('free'), { create: { user: { roles: [] }, plan: 'free' } });
});

it('gives by read a copy that is the caller\u2019s to change', async () => {
  const sessions = new SessionRepository({ store: new MemoryStore(), definition });
  const user = { name: 'ann', roles: ['user'] };
  await (await sessions.create({ user, cart: [] }, { id: 's' })).saveAndClose();
  const copy = await sessions.read('s');
  if (copy?.user === undefined) throw new Error('nothing there');
  holds<Same<typeof copy, CopyOf<typeof definition>>>();
  holds<Same<(typeof copy)['user'], { name: string; roles: string[] } | undefined>>();
  holds<Same<(typeof copy)['since'], Date>>();
  holds<Same<(typeof copy)['cart'], Item[]>>();
  holds<Same<(typeof copy)['note'], string | undefined>>();
  copy.user.roles.push('admin');
  copy.since.setTime(5);
  copy.since = new Date(6);
  expect([copy.user.roles, (await sessions.read('s'))?.user]).toEqual([['user', 'admin'], user]);

  const kept = defineSession(
    { list: immutable<readonly string[]>(() => []), maybe: immutable<string[] | undefined>(() => undefined) },
    { undeclared: immutable<Set<string>>() },
  );
  type Kept = CopyOf<typeof kept>;
  holds<Same<Kept['list'], readonly string[]>>(); // as declared
  holds<Same<Kept['maybe'], string[] | undefined>>();
  const compiledOnly = (some: Kept): unknown => {
    const one = some['any'];
    return one instanceof Set && one.add('x');
  };
  expect(compiledOnly).toBeTypeOf('function');
  const bare = new SessionRepository<State>({ store: new MemoryStore(), definition });
  const state: State | undefined = await bare.read('s');
  expect(state).toBeUndefined();
});

it('names sessions and repositories by their state alone', async () => {
  const sessions: SessionRepository<State> = new SessionRepository<State>({ store: new MemoryStore(), definition });
  const count = (session: Session<State>): number => session.state.cart.length;
  const mine = (session: SessionOf<typeof owned>): string => session.state.plan;
  expect(await sessions.scope('s', (_, session) => count(session), { create: true })).toBe(0);
  const exact = new SessionRepository({ store: new MemoryStore(), definition });
  expect(await exact.scope('s', (_, session) => count(session), { create: true })).toBe(0);
  // with a required attribute too, which its state alone does not tell
  const begin = (repository: RepositoryOf<typeof owned>): Promise<SessionOf<typeof owned>> =>
    repository.create({ user: { roles: [] }, plan: 'p' });
  const made = await begin(new SessionRepository({ store: new MemoryStore(), definition: owned }));
  expect(mine(made)).toBe('p');
  await made.close();
});

/** What the compiler says of a file beside the tests. */
function compile(code: readonly string[], options: Readonly<Record<string, unknown>> = {}): string {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const folder = mkdtempSync(join(root, 'node_modules/.types-'));
  try {
    writeFileSync(join(folder, 'code.ts'), code.join('\n'));
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: '../../tsconfig.json',
        compilerOptions: { isolatedDeclarations: false, ...options },
        include: ['*.ts'],
      }),
    );
    return spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], {
      encoding: 'utf8',
    }).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it('shows a state written out, in messages as in hovers', () => {
  const said = compile([
    `import { defineSession, immutable, mutable } from '../../ts/index.ts';`,
    `import type { CopyOf, StateOf } from '../../ts/index.ts';`,
    `const shop = defineSession({ user: immutable<string>(), n: mutable<number>(() => 0) });`,
    `export const wrong = (state: StateOf<typeof shop>): void => void state.basket;`,
    `export const copy = (read: CopyOf<typeof shop>): void => void read.basket;`,
  ]);
  expect(said).toContain(
    `Property 'basket' does not exist on type '{ n: number; readonly user?: string | undefined; }'`,
  );
  expect(said).toContain(`Property 'basket' does not exist on type '{ n: number; user?: string | undefined; }'`);
}, 60_000);

it('takes classes of the platform, and those of the application that were added to what is kept', () => {
  const code = [
    `import { defineSession, immutable, mutable, valueType } from '../../ts/index.ts';`,
    `class Money { cents = 1; plus(): Money { return this; } }`,
    `const types = [valueType('Money', Money, { toData: ({ cents }) => cents, fromData: (cents: number) => Object.assign(new Money(), { cents }) })];`,
    `const shop = defineSession({ price: mutable<Money[]>(() => []), links: mutable<{ u: URL; r: RegExp; e: Error }>(), once: immutable<Money>() }, { types });`,
    `import type { StateOf } from '../../ts/index.ts';`,
    `export const sum = ({ once, links }: StateOf<typeof shop>): unknown => [once?.plus(), links?.u.searchParams, links?.e.cause];`,
  ];
  const refused = compile(code);
  expect(refused).toContain('NotKept');
  const kept = compile([
    ...code,
    `declare module '../../ts/index.ts' { interface RegisteredClasses { money: Money } }`,
  ]);
  expect(kept.split('\n').filter((line) => line.includes('code.ts'))).toEqual([]);
}, 60_000);

it('takes undefined for every option, also where the compiler tells it from absent', () => {
  const said = compile(
    [
      `import { MemoryStore, SessionRepository, defineSession } from '../../ts/index.ts';`,
      `import type { AcquireOptions, AttributeOptions, BackupOptions, Backups, CallOptions, ChangeIdOptions, CloseOptions, CreateOptions, DefinitionOptions, LockOptions, MemoryStoreOptions, OpenOptions, RepositoryOptions, UseOptions } from '../../ts/index.ts';`,
      `import type { ChunksOptions, SignatureOptions, VcdiffOptions } from '../../ts/delta.ts';`,
      `import type { SqliteStoreOptions } from '../../ts/store/sqlite.ts';`,
      `import type { Place, StoreSuiteOptions } from '../../ts/testing/index.ts';`,
      // Names of the options of T that may be absent, but not undefined.
      `type Strict<T> = { [K in keyof T]-?: {} extends Pick<T, K> ? (T extends { [N in K]?: infer V } ? (undefined extends V ? never : K) : never) : never }[keyof T];`,
      `type All = [Strict<AcquireOptions>, Strict<AttributeOptions<1>>, Strict<BackupOptions>, Strict<CallOptions>, Strict<ChangeIdOptions>, Strict<CloseOptions>, Strict<CreateOptions>, Strict<DefinitionOptions>, Strict<LockOptions>, Strict<MemoryStoreOptions>, Strict<OpenOptions>, Strict<RepositoryOptions<{}, {}>>, Strict<UseOptions<{}>>, Strict<ChunksOptions>, Strict<SignatureOptions>, Strict<VcdiffOptions>, Strict<SqliteStoreOptions>, Strict<Place>, Strict<StoreSuiteOptions>, Strict<NonNullable<Parameters<Backups['catchUp']>[1]>>];`,
      `export const some: All[number] = 'shown by the message';`,
      `export const probe: Strict<{ a?: number; b?: number | undefined; c: number }> = 'x';`,
      `export const make = (ttlMs: number | undefined): unknown => new SessionRepository({ store: new MemoryStore(), definition: defineSession({}, { drop: undefined }), ttlMs, lock: { leaseMs: undefined } });`,
    ],
    { exactOptionalPropertyTypes: true },
  )
    .split('\n')
    .filter((line) => line.includes('code.ts'));
  expect(said).toEqual([
    expect.stringContaining(`Type '"shown by the message"' is not assignable to type 'never'`),
    expect.stringContaining(`Type '"x"' is not assignable to type '"a"'`),
  ]);
}, 60_000);
