import { expect, it } from 'vitest';
import { decodeDeltaBody } from '../../ts/log/body.ts';
import { NO_PARENT, decodeRecord } from '../../ts/log/record.ts';
import { valueType } from '../../ts/index.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { readTail } from '../../ts/store/tail.ts';
import type { Differencing } from '../../ts/sync/differencing.ts';
import { engines } from '../diff/engines.ts';
import { seeded } from '../diff/pairs.ts';

const random = seeded(4);
const rows = Array.from({ length: 60 }, (_, id) => ({ id, name: `row ${random(1e9)}`, at: random(1e9) }));
const LIMIT = 1 << 24;

/** By what operation each attribute of the last save travels. */
async function opsOf(store: MemoryStore, id: string): Promise<string[]> {
  const { records } = await readTail(store, id, ORIGIN, {});
  let parent = NO_PARENT;
  let ops: string[] = [];
  for (const bytes of records) {
    const record = decodeRecord(id, bytes, parent, parent.revision + 1, LIMIT);
    if (record.kind === 'delta')
      ops = decodeDeltaBody(record.body, (what) => expect.fail(what)).changes.map(({ op }) => op);
    parent = record;
  }
  return ops;
}

it.each<[Differencing | undefined, string[]]>([
  [undefined, ['graph', 'graph', 'binary', 'put']],
  ['binary', ['binary', 'graph', 'binary', 'put']],
  ['off', ['put', 'graph', 'binary', 'put']],
])('an attribute says how it travels, else the repository does: %s', async (differencing, expected) => {
  const definition = defineSession({
    one: mutable(() => rows),
    parts: mutable(() => rows, { differencing: 'graph' }),
    bytes: mutable(() => rows, { differencing: 'binary' }),
    whole: mutable(() => rows, { differencing: 'off' }),
  });
  const store = new MemoryStore();
  const backup = new MemoryStore();
  const options = {
    store,
    backups: [{ store: backup }],
    definition,
    differencing,
    saveMode: 'mutable-access',
  } as const;
  const sessions = new SessionRepository(options);
  const session = await sessions.create({ one: rows, parts: rows, bytes: rows, whole: rows });
  await session.saveAndClose();
  await sessions.scope(session.id, (state) => {
    for (const list of Object.values(state)) list.sort((a, b) => a.at - b.at);
  });
  expect(await opsOf(store, session.id)).toEqual(expected);
  const reader = new SessionRepository({ store, definition });
  const sorted = rows.toSorted((a, b) => a.at - b.at);
  expect(await reader.read(session.id)).toEqual({ one: sorted, parts: sorted, bytes: sorted, whole: sorted });
  expect(await sessions.verifyBackups(session.id)).toEqual(['equal']);
  await sessions.close();
});

class Mark {
  readonly of: number;
  constructor(of: number) {
    this.of = of;
  }
}
const types = [valueType('mark', Mark, { toData: ({ of }) => of, fromData: (of) => new Mark(of as number) })];

it.each(engines.map((differ) => differ.engine))(
  'what has instances is no graph delta, wherever its save begins: %s',
  async (engine) => {
    const store = new MemoryStore();
    let begun: Promise<void> | undefined;
    const definition = defineSession(
      {
        marks: mutable<{ mark: unknown; name: string }[]>(
          () => rows.map(({ id, name }) => ({ mark: new Mark(id), name })),
          {
            differencing: 'graph',
          },
        ),
        count: mutable(() => 0, {
          merge: ({ mine }) => {
            begun = sessions.scope('b', (state) => void state.marks.reverse());
            return mine as number;
          },
        }),
      },
      { types },
    );
    const sessions = new SessionRepository({ store, definition, engine });
    for (const id of ['a', 'b'])
      await sessions.scope(id, (state) => void Object.assign(state, { count: 1, marks: [...state.marks] }), {
        create: true,
      });
    const session = await sessions.open('a', { mode: 'optimistic' });
    session.state.count = 2;
    await sessions.scope('a', (state) => void (state.count = 3));
    await session.saveAndClose();
    await begun;
    expect(await opsOf(store, 'b')).toEqual(['binary']);
    const read = await new SessionRepository({ store, definition, engine }).read('b');
    expect(read?.marks[0]).toEqual({ mark: new Mark(rows.length - 1), name: rows.at(-1)?.name });
  },
);
