import { afterEach, describe, expect, it } from 'vitest';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { KeptBase } from '../../ts/sync/base.ts';
import { through } from '../store/through.ts';
import { Wire } from '../store/wire.ts';

interface Row {
  id: number;
  text: string;
}
interface State {
  n: number;
  doc: Row[];
}
type Sessions = SessionRepository<State, Partial<State>>;

const definition = defineSession({ n: mutable(() => 0), doc: mutable<Row[]>(() => []) });
const LOCAL = { policy: 'serve-local', failMs: 60 } as const;
const KINDS: readonly KeptBase[] = ['bytes', 'signature', 'store'];
const LET_GO: readonly KeptBase[] = ['signature', 'store'];
const rows = (): Row[] => Array.from({ length: 60 }, (_, id) => ({ id, text: `row ${id} `.repeat(6) }));

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Two members of one store, of which one is behind a wire, and keeps `base` of what it has decoded. */
async function world(base: KeptBase): Promise<{ wire: Wire; ours: Sessions; rival: Sessions }> {
  const memory = new MemoryStore();
  const wire = new Wire(memory, LOCAL);
  const options = { definition, lock: { leaseMs: 1000 }, storeTimeoutMs: 1500 };
  const ours: Sessions = new SessionRepository({ ...options, base, store: wire.store });
  const rival: Sessions = new SessionRepository({ ...options, store: memory });
  await ours.scope('s', (state) => void (state.doc = rows()), { create: {} });
  await edit(ours, 0, 'first');
  ends.push(async () => {
    wire.state = 'up';
    await ours.close({ timeoutMs: 300 });
    await rival.close({ timeoutMs: 300 });
  });
  return { wire, ours, rival };
}

const edit = (sessions: Sessions, index: number, text: string, mode?: 'optimistic'): Promise<void> =>
  sessions.scope('s', (state) => void (state.doc[index]!.text = text), mode && { mode });

async function textsOf(sessions: Sessions, id: string, count: number): Promise<string[]> {
  const { doc } = (await sessions.read(id))!;
  return doc.slice(0, count).map(({ text }) => text);
}

/** As soon as all that waits is stored. */
async function stored(sessions: Sessions, wire: Wire): Promise<void> {
  const session = await sessions.open('s');
  wire.state = 'up';
  session.state.n += 1;
  await session.saveAndClose({ durable: true });
}

/** As often as it takes until the primary has what waits; `between`: after each that was too early. */
async function patiently(run: () => Promise<void>, between?: () => Promise<void>): Promise<void> {
  for (;;) {
    const failure: unknown = await run().catch((error: unknown) => error);
    if (failure === undefined) return;
    expect(failure).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
    await between?.();
  }
}

// docs/protocol.md: Outages
describe('a holder whose primary does not answer, and that keeps of what it has saved', () => {
  it.each(KINDS)('%s: saves all the same', async (base) => {
    const { wire, ours, rival } = await world(base);
    const session = await ours.open('s');
    for (const [turn, how] of (['cut', 'mute', 'cut'] as const).entries()) {
      wire.state = how;
      session.state.doc[turn + 1]!.text = `turn ${turn}`;
      expect(await session.save()).toMatchObject({ stored: false, changed: ['doc'] });
    }
    await session.close();
    await edit(ours, 4, 'a scope');
    await edit(ours, 5, 'no lock', 'optimistic');
    await stored(ours, wire);
    const all = ['first', 'turn 0', 'turn 1', 'turn 2', 'a scope', 'no lock'];
    expect(await textsOf(rival, 's', 6)).toEqual(all);
    expect(await textsOf(ours, 's', 6)).toEqual(all);
  });

  it.each(LET_GO)('%s: keeps the bytes of what waits, so that the next save of it is short', async (base) => {
    const { wire, ours } = await world(base);
    wire.state = 'cut';
    await edit(ours, 1, 'may be whole');
    const session = await ours.open('s');
    session.state.doc[2]!.text = 'is not';
    expect((await session.save()).bytes).toBeLessThan(100);
    await session.close();
    expect(await ours.scope('s', (state) => state.doc[2]!.text, { mode: 'read' })).toBe('is not');
  });

  it.each(LET_GO)('%s: is compacted when the primary is back', async (base) => {
    const { wire, ours, rival } = await world(base);
    wire.state = 'cut';
    for (let turn = 0; turn < 30; turn += 1)
      await ours.scope('s', (state) => void (state.doc = rows().map(({ id }) => ({ id, text: `${turn * 7919} `.repeat(9) })))); // prettier-ignore
    await stored(ours, wire);
    expect(await textsOf(rival, 's', 1)).toEqual([`${29 * 7919} `.repeat(9)]);
    await edit(ours, 0, 'after');
    expect(await textsOf(rival, 's', 1)).toEqual(['after']);
  });

  it.each(LET_GO)('%s: says so where neither a value nor its bytes are here', async (base) => {
    const { wire, ours } = await world(base);
    wire.state = 'cut';
    const away = { code: 'ERR_UNAVAILABLE', outcome: 'none' };
    await expect(ours.scope('s', (state) => state.doc[0]!.text, { mode: 'read' })).rejects.toMatchObject(away);
    await expect(edit(ours, 0, 'no lock', 'optimistic')).rejects.toMatchObject(away);
    const mine = new Error('mine');
    const thrown = ours.scope('s', (state) => {
      state.doc[0]!.text = 'not saved';
      throw mine;
    });
    await expect(thrown).rejects.toBe(mine);
    for (let turn = 0; turn < 2; turn += 1)
      await expect(ours.scope('s', (state) => state.doc[0]!.text)).rejects.toMatchObject(away);
    wire.state = 'up';
    expect(await ours.scope('s', (state) => state.doc[0]!.text)).toBe('first');
  });

  it.each(KINDS)('%s: goes on from what waits where a use has thrown', async (base) => {
    const { wire, ours } = await world(base);
    wire.state = 'cut';
    await edit(ours, 0, 'waits');
    const mine = new Error('mine');
    const thrown = ours.scope('s', (state) => {
      state.doc[0]!.text = 'not saved';
      throw mine;
    });
    await expect(thrown).rejects.toBe(mine);
    expect(await ours.scope('s', (state) => state.doc[0]!.text)).toBe('waits');
  });

  it.each(LET_GO)('%s: tells that a save which cannot read has written nothing', async (base) => {
    const { wire, ours } = await world(base);
    const session = await ours.open('s', { mode: 'optimistic' });
    session.state.doc[1]!.text = 'mine';
    await edit(ours, 2, 'a use between'); // its bytes are gone again
    wire.state = 'mute';
    await expect(session.save({ outage: { policy: 'fail' } })).rejects.toMatchObject({
      code: 'ERR_UNAVAILABLE',
      outcome: 'none',
    });
    wire.state = 'up';
    await session.close();
  });

  it.each(KINDS)('%s: moves to another id when the primary has all of it, and not before', async (base) => {
    const { wire, ours, rival } = await world(base);
    wire.state = 'cut';
    await edit(ours, 0, 'here');
    const session = await ours.open('s');
    session.state.n = 7;
    wire.state = 'up';
    await patiently(
      () => session.changeId('t'),
      async () => expect(await rival.read('t')).toBeUndefined(),
    );
    await session.close();
    expect(await rival.read('s')).toBeUndefined();
    expect(await rival.read('t')).toMatchObject({ n: 7 });
    expect(await textsOf(rival, 't', 1)).toEqual(['here']);
  });

  it.each(['open', 'optimistic'] as const)('bytes: keeps nothing of a move that failed: %s', async (mode) => {
    const { wire, ours, rival } = await world('bytes');
    const session = await ours.open('s', mode === 'optimistic' ? { mode } : {});
    session.state.n = 7; // as a login would
    wire.state = 'cut';
    await expect(session.changeId('t')).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
    await session.close();
    await stored(ours, wire);
    expect(await rival.read('s')).toMatchObject({ n: 1 });
    expect(await rival.read('t')).toBeUndefined();
  });

  it('bytes: tells when a session is to expire that the primary has not heard of before', async () => {
    const { wire, ours, rival } = await world('bytes');
    const session = await ours.create({ n: 1 }, { id: 'new' });
    wire.state = 'cut';
    expect(await session.save()).toMatchObject({ stored: false });
    wire.state = 'up';
    await patiently(() => session.expire(60_000));
    await session.close();
    expect(await rival.read('new')).toMatchObject({ n: 1 });
  });
});

describe('a lock that is given back with each save', () => {
  it('stays where the save of a use without one waits', async () => {
    const wire = new Wire(new MemoryStore(), LOCAL);
    let isCutOff = false; // from the next append on
    const store = through(wire.store, {
      append: (call) => {
        if (isCutOff) wire.state = 'cut';
        return call();
      },
    });
    const sessions: Sessions = new SessionRepository({ definition, store, lock: { release: 'access' } });
    await sessions.scope('s', (state) => void (state.n = 1), { create: {} });
    const looked = await sessions.open('s', { mode: 'optimistic' });
    looked.state.n += 1;
    isCutOff = true;
    expect(await looked.saveAndClose()).toMatchObject({ stored: false });
    for (const given of [{}, { mode: 'optimistic' } as const])
      await sessions.scope('s', (state) => void (state.n += 1), { ...given, timeoutMs: 500 });
    isCutOff = false;
    await stored(sessions, wire);
    expect(await sessions.read('s')).toMatchObject({ n: 5 });
    await sessions.close();
  });
});
