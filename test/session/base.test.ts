import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import type { HoldfastEvent } from '../../ts/observe.ts';
import { defineSession, immutable, mutable } from '../../ts/session/definition.ts';
import type { RepositoryOptions } from '../../ts/session/options.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Store } from '../../ts/store/store.ts';
import type { KeptBase } from '../../ts/sync/base.ts';
import { seeded } from '../diff/pairs.ts';
import { through } from '../store/through.ts';

interface Row {
  id: number;
  text: string;
}
interface State {
  doc: Row[];
  other: Row[];
  note: string;
}
type Sessions = SessionRepository<State, Partial<State>>;
type Options = Partial<RepositoryOptions<State, Partial<State>>>;

const LET_GO: readonly KeptBase[] = ['signature', 'store'];
const KINDS: readonly KeptBase[] = ['bytes', ...LET_GO];

const random = seeded(7);
const letters = (length: number): string => Array.from({ length }, () => random(36).toString(36)).join('');
const rowsOf = (count: number): Row[] => Array.from({ length: count }, (_, id) => ({ id, text: letters(60) }));

const definition = defineSession({
  doc: mutable<Row[]>(() => []),
  other: mutable<Row[]>(() => []),
  note: mutable<string>(() => ''),
});

/** A store whose calls are counted by kind. */
function counted(store: Store = new MemoryStore()): { store: Store; calls: string[]; reads: () => number } {
  const calls: string[] = [];
  const link = through(store, {
    read: (call) => (calls.push('read'), call()),
    append: (call) => (calls.push('append'), call()),
  });
  return { store: link, calls, reads: () => calls.splice(0).filter((kind) => kind === 'read').length };
}

const sessionsIn = (store: Store, base: KeptBase | undefined, options: Options = {}): Sessions =>
  new SessionRepository({ store, definition, base, ...options });

async function begun(sessions: Sessions, rows = 100): Promise<void> {
  await sessions.scope('s', (state) => void Object.assign(state, { doc: rowsOf(rows), other: rowsOf(rows) }), {
    create: true,
  });
}

const edit = (sessions: Sessions, index: number, text: string): Promise<void> =>
  sessions.scope('s', (state) => void (state.doc[index]!.text = text));

const failed = (promise: Promise<unknown>): Promise<HoldfastError> =>
  promise.then(
    () => expect.unreachable('it did not fail') as never,
    (error: HoldfastError) => error,
  );

// docs/protocol.md: Bases that are not kept
describe('what is kept of a base between saves', () => {
  it.each<[KeptBase, number[]]>([
    ['bytes', [0, 0, 0, 0]],
    ['signature', [0, 0, 0, 0]],
    ['store', [1, 1, 0, 0]],
  ])('%s: reads the store where a save needs what is not here', async (base, reads) => {
    const { store, reads: taken } = counted();
    const sessions = sessionsIn(store, base, { saveMode: 'mutable-access' });
    await begun(sessions);
    taken();
    const found: number[] = [];
    for (const use of [
      () => edit(sessions, 3, 'one'),
      () => edit(sessions, 50, 'two'),
      () => sessions.scope('s', (state) => void state.doc.map(({ text }) => text)), // compared, and found to be the same
      () => sessions.scope('s', (state) => void (state.note += 'short')),
    ]) {
      await use();
      found.push(taken());
    }
    expect(found).toEqual(reads);
    const { doc, note } = (await sessionsIn(store, 'bytes').read('s'))!;
    expect([doc[3]!.text, doc[50]!.text, note]).toEqual(['one', 'two', 'short']);
    await sessions.close();
  });

  it.each<[KeptBase, number]>([
    ['bytes', 80],
    ['store', 80],
    ['signature', 700],
  ])('%s: an edit takes at most %d bytes of a value of 9 KB', async (base, most) => {
    const sessions = sessionsIn(new MemoryStore(), base);
    await begun(sessions);
    const session = await sessions.open('s');
    for (let i = 0; i < 8; i += 1) {
      session.state.doc[i * 9]!.text = letters(12);
      const saved = await session.save();
      expect(saved.kind).toBe('delta');
      expect(saved.bytes).toBeLessThanOrEqual(most);
    }
    await session.close();
    await sessions.close();
  });

  it('may be said by an attribute for itself', async () => {
    const own = defineSession({
      doc: mutable<Row[]>(() => [], { base: 'store' }),
      other: mutable<Row[]>(() => [], { base: 'bytes' }),
      note: mutable<string>(() => ''),
    });
    const { store, reads } = counted();
    const sessions = new SessionRepository({ store, definition: own, base: 'signature' });
    await begun(sessions);
    reads();
    await edit(sessions, 1, 'x');
    expect(reads()).toBe(1);
    await sessions.scope('s', (state) => void (state.other[1]!.text = 'y'));
    expect(reads()).toBe(0);
    await sessions.close();
  });

  it('is one of three', () => {
    // @ts-expect-error no such base
    expect(() => mutable(() => [1], { base: 'hash' })).toThrow(/base must be one of 'bytes', 'signature', 'store'/);
    // @ts-expect-error no such base
    expect(() => sessionsIn(new MemoryStore(), 'none')).toThrow(/base must be one of 'bytes', 'signature', 'store'/);
  });
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes outside of JavaScript's heap: what holds values as bytes. */
async function bytesKept(): Promise<number> {
  for (let i = 0; i < 3; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collect();
  }
  return process.memoryUsage().arrayBuffers;
}

describe('the memory of a base', () => {
  it.each<[KeptBase, number, number]>([
    ['bytes', 0.9, 1.3],
    ['signature', 0.02, 0.03],
    ['store', 0, 0.003],
  ])('%s: of 8 values of 1 MB each, decoded and saved, it is %d to %d times the bytes', async (base, least, most) => {
    const store = new MemoryStore();
    let sessions: Sessions | undefined = sessionsIn(store, base, { limitBytes: 1 << 24 });
    const rows = rowsOf(14_000);
    let bytes = 0;
    const others = sessionsIn(store, 'bytes');
    for (let i = 0; i < 8; i += 1) {
      const id = `s${i}`;
      if (i % 2 === 0) await others.scope(id, (state) => void (state.doc = structuredClone(rows)), { create: true });
      const session = await sessions.open(id, { create: { doc: rows } });
      for (const index of [77, 7777]) {
        session.state.doc[index]!.text = 'edited';
        await session.save();
      }
      await session.close();
      bytes += session.byteLength;
    }
    await others.close();
    expect(bytes).toBeGreaterThan(8e6);
    const kept = await bytesKept();
    await sessions.close();
    sessions = undefined;
    const share = (kept - (await bytesKept())) / bytes;
    expect(share).toBeGreaterThanOrEqual(least - 0.003);
    expect(share).toBeLessThanOrEqual(most);
  });
});

describe.each(LET_GO)('a session of which no bytes are kept (%s)', (base) => {
  it('is compacted with what the store has of it', async () => {
    const { store, reads } = counted();
    const sessions = sessionsIn(store, base);
    await begun(sessions, 20);
    reads();
    const kinds: string[] = [];
    for (let i = 0; i < 12; i += 1) {
      const session = await sessions.open('s');
      session.state.note = letters(900);
      kinds.push((await session.save()).kind);
      expect(reads()).toBe(kinds[i] === 'snapshot' ? 1 : 0);
      await session.close();
    }
    expect(kinds).toContain('snapshot');
    expect(await sessionsIn(store, 'bytes').read('s')).toEqual(await sessions.read('s'));
    await sessions.close();
  });

  it('is read again where its values were let go', async () => {
    const { store, reads } = counted();
    const photos = defineSession({ photo: mutable<Uint8Array>(() => new Uint8Array(0)), n: mutable(() => 0) });
    const sessions = new SessionRepository({ store, definition: photos, base, saveMode: 'mutable-access' });
    await sessions.scope('s', (state) => void (state.photo = new Uint8Array(5000).fill(1)), { create: true });
    const session = await sessions.open('s');
    session.state.photo[0] = 2;
    await session.save();
    expect(session.state.photo[0]).toBe(2); // handed out: to be decoded again by the next use, of bytes that are gone
    await session.close();
    reads();
    expect(await sessions.scope('s', (state) => state.photo[0])).toBe(2);
    expect(reads()).toBe(1);
    expect(await sessions.scope('s', (state) => state.photo[0])).toBe(2);
    expect(reads()).toBe(0);
    await sessions.close();
  });

  it('follows what others save, and loses nothing to them', async () => {
    const store = new MemoryStore();
    const [one, two] = [sessionsIn(store, base), sessionsIn(store, base)];
    await begun(one);
    for (let i = 0; i < 6; i += 1) {
      await edit(i % 2 === 0 ? two : one, i, `edit ${i}`);
      await (i % 3 === 0 ? one : two).scope('s', (state) => void (state.note += i));
    }
    for (const sessions of [one, two]) {
      const { doc, note } = (await sessions.read('s'))!;
      expect([doc.slice(0, 6).map(({ text }) => text), note]).toEqual([
        Array.from({ length: 6 }, (_, i) => `edit ${i}`),
        '012345',
      ]);
      await sessions.close();
    }
  });

  it('moves to another id, is used without a lock, and is copied whole to a backup that missed it', async () => {
    const { store, calls } = counted();
    const backup = new MemoryStore();
    const sessions = sessionsIn(store, base, { backups: [{ store: backup }] });
    await begun(sessions);
    await edit(sessions, 2, 'before');
    await Promise.all([
      sessions.scope('s', (state) => void (state.doc[3]!.text = 'beside'), { mode: 'optimistic' }),
      sessions.scope('s', (state) => void (state.other[3]!.text = 'beside'), { mode: 'optimistic' }),
    ]);
    await edit(sessions, 4, 'locked');
    expect(await sessions.scope('s', (state) => state.doc[3]!.text, { mode: 'read' })).toBe('beside');
    const session = await sessions.open('s');
    session.state.doc[5]!.text = 'moved';
    await session.changeId('t');
    session.state.doc[6]!.text = 'there';
    await session.saveAndClose();
    expect(calls).toContain('append');
    const { doc, other } = (await sessions.read('t'))!;
    expect(doc.slice(2, 7).map(({ text }) => text)).toEqual(['before', 'beside', 'locked', 'moved', 'there']);
    expect(other[3]!.text).toBe('beside');
    expect(await sessions.verifyBackups('t')).toEqual(['equal']);
    await sessions.close();
  });

  it('tells what a save would send, and what it has changed', async () => {
    const { store, reads } = counted();
    const sessions = sessionsIn(store, base);
    await begun(sessions);
    const session = await sessions.open('s');
    session.state.doc[1]!.text = 'one';
    await session.save();
    session.state.doc[2]!.text = 'two';
    reads();
    const { attributes, kind } = await session.explain();
    expect(reads()).toBe(base === 'store' ? 1 : 0);
    expect([kind, attributes]).toMatchObject([
      'delta',
      [{ name: 'doc', op: 'binary', way: 'whole', whyWhole: expect.stringContaining('base') as string }],
    ]);
    const saved = await session.save();
    expect(reads()).toBe(base === 'store' ? 1 : 0);
    const whole = { op: 'set', path: ['doc'], value: session.state.doc.map(({ id, text }) => ({ id, text })) };
    const part = { op: 'set', path: ['doc', 2, 'text'], value: 'two' };
    expect(saved.changes()).toEqual([base === 'store' ? part : whole]);
    await session.close();
    await sessions.close();
  });

  it('tells of what has changed whatever it has become, and keeps what is set once', async () => {
    const { store, calls } = counted();
    const loose = defineSession({ any: mutable<unknown>(() => 0), fixed: immutable<Row[]>() });
    const sessions = new SessionRepository({ store, definition: loose, base });
    const fixed = rowsOf(40);
    const { id } = await sessions
      .create({ any: rowsOf(40), fixed })
      .then(async (made) => (await made.saveAndClose(), made));
    await sessions.scope(id, (state) => [state.any, state.fixed]); // decoded, and let go of
    const session = await sessions.open(id);
    session.state.any = true;
    calls.length = 0;
    expect((await session.save()).changes()).toEqual([{ op: 'set', path: ['any'], value: true }]);
    delete session.state.any;
    expect((await session.save()).changes()).toEqual([{ op: 'unset', path: ['any'] }]);
    await session.close();
    expect(await sessions.scope(id, (state) => [state.any, state.fixed])).toEqual([0, fixed]);
    expect(calls).toEqual(base === 'store' ? ['read', 'append', 'append'] : ['append', 'append']);
    await sessions.close();
  });

  it('is not saved over what another has saved', async () => {
    const store = new MemoryStore();
    const [sessions, others] = [sessionsIn(store, base), sessionsIn(store, base)];
    await begun(sessions);
    const session = await sessions.open('s');
    session.state.doc[1]!.text = 'mine';
    await session.save();
    session.state.doc[2]!.text = 'late';
    const { holder } = (await store.inspect('s')).lock;
    await store.unlock('s', { member: holder!.member, ticket: 1_000_000 }); // as if its lease were over
    await edit(others, 2, 'theirs');
    expect(await failed(session.save())).toMatchObject({ code: 'ERR_FENCED', outcome: 'none' });
    const { doc } = (await others.read('s'))!;
    expect(doc.slice(1, 3).map(({ text }) => text)).toEqual(['mine', 'theirs']);
    await edit(sessions, 4, 'again');
    expect((await others.read('s'))!.doc.slice(1, 5).map(({ text }) => text.slice(0, 6))).toEqual([
      'mine',
      'theirs',
      doc[3]!.text.slice(0, 6),
      'again',
    ]);
    await others.close();
    await sessions.close();
  });
});

describe('a base that is in the store alone', () => {
  it('and cannot be read lets no save through, and loses nothing', async () => {
    const trouble = { cut: false };
    const cut = (): HoldfastError => new HoldfastError('ERR_UNAVAILABLE', 'connection lost', { outcome: 'none' });
    const store = through(new MemoryStore(), { read: (call) => (trouble.cut ? Promise.reject(cut()) : call()) });
    const sessions = sessionsIn(store, 'store');
    await begun(sessions);
    const session = await sessions.open('s');
    session.state.doc[1]!.text = 'one';
    await session.save();
    session.state.doc[2]!.text = 'two';
    trouble.cut = true;
    expect((await failed(session.save())).code).toBe('ERR_UNAVAILABLE');
    session.state.doc[3]!.text = 'three';
    trouble.cut = false;
    expect((await session.save()).changed).toEqual(['doc']);
    await session.close();
    const { doc } = (await sessionsIn(store, 'bytes').read('s'))!;
    expect(doc.slice(1, 4).map(({ text }) => text)).toEqual(['one', 'two', 'three']);
    await sessions.close();
  });

  it('and is being read lets what is written meanwhile go with the next save', async () => {
    const store = new MemoryStore();
    const both = defineSession({
      doc: mutable<Row[]>(() => [], { base: 'store' }),
      other: mutable<Row[]>(() => []),
      note: mutable<string>(() => ''),
    });
    const sessions = new SessionRepository({ store, definition: both });
    await begun(sessions);
    const session = await sessions.open('s');
    session.state.doc[1]!.text = session.state.other[1]!.text = 'first';
    await session.save();
    session.state.doc[1]!.text = session.state.other[1]!.text = 'second';
    const saving = session.save();
    session.state.other = rowsOf(3);
    session.state.doc[2]!.text = 'meanwhile';
    expect((await saving).changed).toEqual(['doc', 'other']);
    const between = (await sessions.read('s'))!;
    expect([between.doc[1]!.text, between.doc[2]!.text === 'meanwhile', between.other[1]!.text]).toEqual([
      'second',
      false,
      'second',
    ]);
    expect((await session.save()).changed).toEqual(['doc', 'other']);
    const { doc, other } = (await sessions.read('s'))!;
    expect([doc[2]!.text, other.length]).toEqual(['meanwhile', 3]);
    await session.close();
    await sessions.close();
  });

  it('and is damaged there is said, and put back from a backup', async () => {
    const trouble = { damaged: false };
    const store = through(new MemoryStore(), {
      async read(call) {
        const tail = await call();
        if (!trouble.damaged) return tail;
        return { ...tail, records: tail.records.map((bytes) => bytes.with(bytes.length - 9, bytes.at(-9)! ^ 1)) };
      },
    });
    const backup = new MemoryStore();
    const sessions = sessionsIn(store, 'store', { backups: [{ store: backup }] });
    const events: HoldfastEvent[] = [];
    sessions.observe((event) => void events.push(event));
    await begun(sessions);
    await edit(sessions, 1, 'one');
    trouble.damaged = true;
    const error = await failed(edit(sessions, 2, 'two'));
    expect([error.code, error.session]).toEqual(['ERR_CORRUPT', 's']);
    expect(events.filter(({ type }) => type === 'damage')).toMatchObject([{ id: 's', place: 'primary' }]);
    trouble.damaged = false;
    await sessions.backups.restore('s');
    await edit(sessions, 3, 'three');
    const { doc } = (await sessions.read('s'))!;
    expect([doc[1]!.text, doc[3]!.text]).toEqual(['one', 'three']);
    expect(await sessions.verifyBackups('s')).toEqual(['equal']);
    await sessions.close();
  });
});

it.each(KINDS)('a use that saves nothing leaves all as it was: %s', async (base) => {
  const { store, calls } = counted();
  const sessions = sessionsIn(store, base);
  await begun(sessions);
  await edit(sessions, 1, 'one');
  await expect(
    sessions.scope('s', (state) => {
      state.doc[1]!.text = 'thrown away';
      throw new Error('no');
    }),
  ).rejects.toThrow('no');
  calls.length = 0;
  expect(await sessions.scope('s', (state) => state.doc[1]!.text)).toBe('one');
  expect(calls).not.toContain('append');
  await sessions.close();
});
