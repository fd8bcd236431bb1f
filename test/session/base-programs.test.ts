import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { jsDiffer } from '../../ts/diff/js.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import type { RepositoryOptions } from '../../ts/session/options.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { Session } from '../../ts/session/session.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { readTail } from '../../ts/store/tail.ts';
import { KEPT_BASES } from '../../ts/sync/base.ts';
import type { KeptBase } from '../../ts/sync/base.ts';
import { take } from '../../ts/sync/pull.ts';
import { Replica } from '../../ts/sync/replica.ts';
import { seeded } from '../diff/pairs.ts';
import { through } from '../store/through.ts';

interface Row {
  text: string;
  deep: { n: number; list: number[]; at?: Date };
}
interface State {
  rows: Row[];
  map: Map<string, { text: string }>;
  text: string;
  photo: Uint8Array;
  note: number;
  log?: string[];
}

function letters(seed: number, length: number): string {
  const random = seeded(seed);
  return Array.from({ length }, () => random(36).toString(36)).join('');
}

const rowOf = (seed: number): Row => ({ text: letters(seed, 120), deep: { n: seed, list: [seed, 1, 2] } });

/** Most values are larger than what is kept in any case. */
const first = (): State => ({
  rows: Array.from({ length: 16 }, (_, i) => rowOf(i)),
  map: new Map(Array.from({ length: 16 }, (_, i) => [`k${i}`, { text: letters(i, 100) }])),
  text: letters(1, 3000),
  photo: new Uint8Array(2500).fill(3),
  note: 0,
});

const EDITS: readonly ((state: State, a: number, b: number) => void)[] = [
  (state, a, b) => void (state.rows[a % state.rows.length]!.text = letters(b, 30)),
  (state, _, b) => void state.rows.push(rowOf(b)),
  (state, a) => void (state.rows.length > 10 && state.rows.splice(a % state.rows.length, 1)),
  (state) => void state.rows.reverse(),
  (state, a, b) => void state.rows[a % state.rows.length]!.deep.list.push(b),
  (state, a, b) => void (state.rows[a % state.rows.length]!.deep.at = new Date(b)),
  (state, a, b) => void state.map.set(`k${a % 30}`, { text: letters(b, 90) }),
  (state, a) => void state.map.delete(`k${a % 30}`),
  (state, a, b) => void (state.text = `${state.text.slice(0, a * 9)}${letters(b, 8)}${state.text.slice(a * 9)}`),
  (state, a, b) => void (state.photo[a * 11] = b % 256),
  (state, _, b) => void (state.note = b),
  (state, a) => void (state.rows = Array.from({ length: 12 }, (_, i) => rowOf(i + (a % 2)))),
  (state, a, b) => void (state.log = [...(state.log ?? []), letters(b, 40 * (a % 40))]),
  (state) => void delete state.log,
  (state) => void [state.rows[0]!.text, state.map.size, state.text.length, state.photo[0]],
];

type Edit = readonly [edit: number, a: number, b: number];
/** What becomes of the append: it never arrives, it or its answer is lost for a moment, or its answers for long. */
type Fate = 'well' | 'refused' | 'repeated' | 'doubtful';
type Step =
  | { readonly is: 'scope'; readonly edits: readonly Edit[]; readonly fate: Fate; readonly throws: boolean }
  | {
      readonly is: 'saves';
      readonly edits: readonly Edit[];
      readonly fate: Fate;
      readonly explained: boolean;
      readonly during: boolean;
    }
  | { readonly is: 'beside'; readonly edits: readonly Edit[]; readonly others: readonly Edit[] }
  | { readonly is: 'robbed'; readonly edits: readonly Edit[]; readonly others: readonly Edit[] }
  | { readonly is: 'renamed'; readonly edits: readonly Edit[] }
  | { readonly is: 'restarted' };

const edits: fc.Arbitrary<Edit[]> = fc.array(fc.tuple(fc.nat(EDITS.length - 1), fc.nat(250), fc.nat(999)), {
  maxLength: 4,
});
const fate = fc.constantFrom<Fate>('well', 'well', 'well', 'well', 'refused', 'repeated', 'doubtful');
const step: fc.Arbitrary<Step & { readonly who: number }> = fc
  .tuple(
    fc.nat(1),
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          is: fc.constant('scope' as const),
          edits,
          fate,
          throws: fc.constantFrom(false, false, false, true),
        }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          is: fc.constant('saves' as const),
          edits,
          fate,
          explained: fc.boolean(),
          during: fc.boolean(),
        }),
      },
      { weight: 2, arbitrary: fc.record({ is: fc.constant('beside' as const), edits, others: edits }) },
      { weight: 1, arbitrary: fc.record({ is: fc.constant('robbed' as const), edits, others: edits }) },
      { weight: 1, arbitrary: fc.record({ is: fc.constant('renamed' as const), edits }) },
      { weight: 1, arbitrary: fc.constant({ is: 'restarted' as const }) },
    ),
  )
  .map(([who, one]) => ({ ...one, who }));

type Kinds = readonly [repository: KeptBase, ...attributes: (KeptBase | undefined)[]];
type Sessions = SessionRepository<State, Partial<State>>;

const unavailable = (outcome: 'none' | 'unknown'): HoldfastError =>
  new HoldfastError('ERR_UNAVAILABLE', 'connection lost', { outcome });

function definitionFor([, ...own]: Kinds) {
  const base = (i: number): { readonly base: KeptBase | undefined } => ({ base: own[i] });
  return defineSession({
    rows: mutable<Row[]>(() => [], base(0)),
    map: mutable<Map<string, { text: string }>>(() => new Map(), base(1)),
    text: mutable<string>(() => '', base(2)),
    photo: mutable<Uint8Array>(() => new Uint8Array(0), base(3)),
    note: mutable<number>(() => 0, { merge: 'mine' }),
    log: mutable<string[]>(undefined, base(4)),
  });
}

/** Two processes, a primary and a backup, and one session, which they take turns on. */
class World {
  readonly #store = new MemoryStore();
  readonly #backup = new MemoryStore();
  readonly #kinds: readonly Kinds[];
  readonly #saveMode: RepositoryOptions<State, object>['saveMode'];
  readonly #processes: Sessions[];
  #fate: Fate = 'well';
  /** Saves of which nobody knows yet what became of them. */
  #doubts = 0;
  #id = 's0';

  constructor(kinds: readonly Kinds[], saveMode: RepositoryOptions<State, object>['saveMode']) {
    this.#kinds = kinds;
    this.#saveMode = saveMode;
    this.#processes = kinds.map((_, who) => this.#start(who));
  }

  #start(who: number): Sessions {
    const store = through(this.#store, {
      append: async (call) => {
        if (this.#fate === 'refused') throw unavailable('none');
        const answer = await call();
        if (this.#fate === 'well') return answer;
        if (this.#fate === 'repeated') this.#fate = 'well';
        throw unavailable('unknown');
      },
    });
    const kinds = this.#kinds[who] as Kinds;
    const options = { definition: definitionFor(kinds), base: kinds[0], saveMode: this.#saveMode };
    const sessions = new SessionRepository({
      ...options,
      store,
      backups: [{ store: this.#backup }],
      storeTimeoutMs: 40,
    });
    sessions.observe(({ type }) => {
      if (type === 'unsettled') this.#doubts += 1;
      if (type === 'settled') this.#doubts -= 1;
    });
    return sessions;
  }

  async begin(): Promise<void> {
    await this.#processes[0]!.scope(this.#id, (state) => void Object.assign(state, first()), { create: true });
  }

  /** What came of the step, as far as it is the same whatever is kept. */
  async run(one: Step & { readonly who: number }): Promise<unknown> {
    const sessions = this.#processes[one.who] as Sessions;
    const other = this.#processes[1 - one.who] as Sessions;
    switch (one.is) {
      case 'scope':
        return this.#under(one.fate, () =>
          sessions.scope(this.#id, (state) => {
            edit(state, one.edits);
            if (one.throws) throw new Error('thrown');
          }),
        );
      case 'saves':
        return this.#saves(sessions, one);
      case 'beside':
        return outcome(() =>
          sessions.scope(
            this.#id,
            async (state) => {
              edit(state, one.edits);
              await other.scope(this.#id, (others) => edit(others, one.others));
            },
            { mode: 'optimistic' },
          ),
        );
      case 'robbed':
        return this.#robbed(sessions, other, one);
      case 'renamed':
        return this.#renamed(sessions, one.edits);
      case 'restarted':
        await sessions.close();
        this.#processes[one.who] = this.#start(one.who);
        return undefined;
    }
  }

  async #under(fateOf: Fate, run: () => Promise<unknown>): Promise<unknown> {
    this.#fate = fateOf;
    const found = await outcome(run);
    this.#fate = 'well';
    while (this.#doubts > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    return fateOf === 'repeated' ? fateOf : found; // a machine that is busy may not have offered it again in time
  }

  /** One session saves several times, and is written into meanwhile: the second may fail, and what it was to save goes with the third. */
  async #saves(sessions: Sessions, one: Step & { readonly is: 'saves' }): Promise<unknown> {
    const session = await sessions.open(this.#id, { timeoutMs: 2000 });
    const found: unknown[] = [];
    const save = async (): Promise<unknown> => {
      const saving = session.save();
      if (one.during) edit(session.state, one.edits);
      return (await saving).changed;
    };
    for (const fateOf of ['well', one.fate, 'well'] as const) {
      edit(session.state, one.edits);
      if (one.explained) found.push((await session.explain()).attributes.map(({ name }) => name).toSorted());
      found.push(await this.#under(fateOf, save));
    }
    await session.close();
    return found;
  }

  /** Another gets the lock, and saves, while a use goes on. */
  async #robbed(sessions: Sessions, other: Sessions, one: Step & { readonly is: 'robbed' }): Promise<unknown> {
    const session = await sessions.open(this.#id, { timeoutMs: 2000 });
    edit(session.state, one.edits);
    const before = await outcome(async () => (await session.save()).changed);
    edit(session.state, one.edits);
    session.state.note += 1; // so that it learns of it
    const { holder } = (await this.#store.inspect(this.#id)).lock;
    await this.#store.unlock(this.#id, { member: holder!.member, ticket: 1_000_000 });
    await other.scope(this.#id, (state) => edit(state, one.others));
    const after = await outcome(async () => (await session.save()).changed);
    await session.close();
    return [before, after];
  }

  async #renamed(sessions: Sessions, all: readonly Edit[]): Promise<unknown> {
    const to = `s${Number(this.#id.slice(1)) + 1}`;
    const session: Session<State, Partial<State>> = await sessions.open(this.#id, { timeoutMs: 2000 });
    edit(session.state, all);
    await session.changeId(to);
    this.#id = to;
    edit(session.state, all);
    return outcome(async () => (await session.saveAndClose()).changed);
  }

  /** Everything that the primary has of the session, as bytes. */
  async found(): Promise<unknown> {
    const replica = new Replica(this.#id);
    const tail = await readTail(this.#store, this.#id, ORIGIN, {});
    take({ differ: jsDiffer, limitBytes: 1 << 24 } as Parameters<typeof take>[0], replica, tail);
    const { digest, directory } = replica.image;
    const values = directory.names.map((name) => [
      name,
      Buffer.from(replica.image.value(name)!.bytes!).toString('base64'),
    ]);
    return { revision: replica.head.revision, digest, values };
  }

  async end(): Promise<void> {
    for (const sessions of this.#processes) {
      expect(await sessions.verifyBackups(this.#id)).toEqual(['equal']);
      const { note } = (await sessions.read(this.#id))!;
      expect(await sessions.scope(this.#id, (state) => state.note)).toBe(note);
    }
    for (const sessions of this.#processes)
      expect(await sessions.close()).toEqual({ unsettled: [], open: [], unfed: [], unstored: [] });
  }
}

function edit(state: State, all: readonly Edit[]): void {
  for (const [which, a, b] of all) EDITS[which]!(state, a, b);
}

async function outcome(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof HoldfastError && error.code !== 'ERR_INVALID') return [error.code, error.outcome];
    if (error instanceof Error && error.message === 'thrown') return 'thrown';
    throw error;
  }
}

const BYTES: Kinds = ['bytes'];
const kind = fc.constantFrom(...KEPT_BASES);
const own = fc.option(kind, { nil: undefined });
const kinds: fc.Arbitrary<Kinds> = fc.tuple(kind, own, own, own, own, own);
const PROGRAMS = Number(process.env['HOLDFAST_PROGRAMS'] ?? 60);

it('whatever is kept of the bases, the same is saved, refused and found', { timeout: 3_600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 3, maxLength: 14 }),
      fc.tuple(kinds, kinds),
      fc.constantFrom('write' as const, 'mutable-access' as const, 'all' as const),
      async (steps, mixed, saveMode) => {
        const worlds = [new World([BYTES, BYTES], saveMode), new World(mixed, saveMode)] as const;
        for (const world of worlds) await world.begin();
        for (const one of steps) {
          const [expected, found] = [await worlds[0].run(one), await worlds[1].run(one)];
          expect([one, found]).toEqual([one, expected]);
          expect([one, await worlds[1].found()]).toEqual([one, await worlds[0].found()]);
        }
        for (const world of worlds) await world.end();
      },
    ),
    { numRuns: PROGRAMS, ...(process.env['HOLDFAST_SEED'] && { seed: Number(process.env['HOLDFAST_SEED']) }) },
  );
});
