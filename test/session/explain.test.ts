import { expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import type { AttributeExplanation } from '../../ts/session/explanation.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import type { Session } from '../../ts/session/session.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { SaveMode } from '../../ts/tracking/classes.ts';

interface Row {
  id: number;
  name: string;
}
interface State {
  rows: Row[];
  tags?: Map<string, string[]>;
  small?: { n: number };
  photo?: Buffer;
  note: string;
}

const definition = defineSession({
  rows: mutable<Row[]>(() => []),
  tags: mutable<Map<string, string[]>>(),
  small: mutable<{ n: number }>(),
  photo: mutable<Buffer>(),
  note: mutable<string>(() => ''),
  whole: mutable<Row[]>(() => [], { differencing: 'off' }),
});
const rows = (count = 200): Row[] =>
  Array.from({ length: count }, (_, id) => ({ id, name: `the row of number ${id}` }));

async function opened(saveMode: SaveMode = 'write'): Promise<Session<State>> {
  const sessions = new SessionRepository({ store: new MemoryStore(), definition, saveMode });
  const first = { rows: rows(), tags: new Map([['a', ['x']]]), small: { n: 1 }, photo: Buffer.alloc(2_000), note: 'n' };
  const session = await sessions.create({ ...first, whole: rows(9) } as never);
  await session.saveAndClose();
  return (await sessions.open(session.id)) as never;
}

/** Explains, saves, and compares both. */
async function explained(session: Session<State>): Promise<Record<string, AttributeExplanation>> {
  const { kind, bytes, attributes } = await session.explain();
  const saved = await session.save();
  expect(kind).toBe(saved.kind);
  expect(Math.abs(bytes - saved.bytes)).toBeLessThanOrEqual(3); // its time
  const changes = attributes.filter(({ op }) => op !== 'nothing').map(({ name }) => name);
  expect(changes.toSorted()).toEqual(saved.changed.toSorted());
  return Object.fromEntries(attributes.map((one) => [one.name, one]));
}

it('tells where an attribute was written, how its bytes are found, and what brings most of what is sent', async () => {
  const session = await opened();
  session.state.rows[7]!.name = 'another name, of some length';
  session.state.rows[9]!.name = 'x';
  session.state.rows.push({ id: 1000, name: 'new' });
  session.state.tags!.get('a')!.push('y');
  const { rows: list, tags } = await explained(session);
  expect(list).toMatchObject({
    written: true,
    paths: [
      ['rows', 7, 'name'],
      ['rows', 200],
      ['rows', 9, 'name'],
    ],
    places: 3,
    way: 'portions',
    whyWhole: undefined,
    op: 'binary',
    why: 'a delta between its bytes',
    largest: [
      { path: ['rows', 7, 'name'], op: 'set', bytes: 29 },
      { path: ['rows'], op: 'insert', bytes: 16 },
      { path: ['rows', 9, 'name'], op: 'set', bytes: 2 },
    ],
  });
  expect(list!.bytes).toBeGreaterThan(30);
  expect(tags).toMatchObject({
    paths: [['tags', { kind: 'map value', index: 0, key: 'a' }, 1]],
    way: 'whole',
    whyWhole: 'it is small: that is as fast',
  });
});

it.each<[string, (state: State & { whole?: Row[] }) => void, string, Partial<AttributeExplanation>]>([
  [
    'is assigned',
    (state) => void (state.rows = rows().with(3, { id: 3, name: 'three' })),
    'rows',
    { way: 'compared', whyWhole: undefined, paths: [['rows']], op: 'binary' },
  ],
  [
    'has its elements moved',
    (state) => void state.rows.reverse(),
    'rows',
    { way: 'portions', paths: [['rows']], places: 1 },
  ],
  [
    'has bytes that were read',
    (state) => void state.photo!.fill(1),
    'photo',
    { written: false, way: 'whole', whyWhole: 'bytes or an instance in it were read, or a Date was changed' },
  ],
  [
    'is written all over',
    (state) => void state.rows.forEach((row, i) => void ((row.name = ''), (row.id = i + 1))),
    'rows',
    { way: 'whole', whyWhole: 'much of it was written: that is as fast', places: 400 },
  ],
  [
    'travels whole',
    (state) => void state.whole!.pop(),
    'whole',
    { op: 'put', why: 'it travels whole: differencing is off' },
  ],
  ['is deleted', (state) => void delete state.small, 'small', { op: 'delete', bytes: 0, valueBytes: 0 }],
  ['is written and equal', (state) => void (state.note = 'n'), 'note', { op: 'nothing', bytes: 0, written: true }],
])('of an attribute that %s', async (_, use, name, expected) => {
  const session = await opened();
  use(session.state);
  expect((await explained(session))[name]).toMatchObject(expected);
});

it('names what the save mode alone has it look at, and what is bounded', async () => {
  const session = await opened('all');
  for (let i = 0; i < 60; i += 1) session.state.rows[i]!.name = `another, ${i}`;
  const all = await explained(session);
  expect(Object.keys(all)).toHaveLength(6);
  expect(all['note']).toMatchObject({ written: false, op: 'nothing', whyWhole: 'the save mode says so' });
  expect([all['rows']!.paths.length, all['rows']!.places, all['rows']!.largest.length]).toEqual([20, 60, 5]);
});

it('tells of first saves, of nothing, and of what will be refused', async () => {
  const sessions = new SessionRepository({ store: new MemoryStore(), definition, limitBytes: 1_000 });
  const session = await sessions.create({ note: 'x' });
  expect(await session.explain()).toMatchObject({ kind: 'snapshot', why: 'the whole is sent: it is the first save' });
  await session.save();
  expect(await session.explain()).toEqual({
    kind: 'nothing',
    bytes: 0,
    why: 'nothing differs from what was saved',
    attributes: [],
  });
  session.state.note = 'x'.repeat(2_000);
  expect((await session.explain()).why).toContain('over limitBytes = 1000');
  await expect(session.save()).rejects.toMatchObject({ code: 'ERR_LIMIT' });
  session.state.note = (() => 1) as never;
  await expect(session.explain()).rejects.toMatchObject({ code: 'ERR_INVALID', paths: [['note']] });
  await session.close();
  await expect(session.explain()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
});
