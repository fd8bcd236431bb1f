import { afterEach, describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../ts/errors.ts';
import type { HoldfastEvent } from '../../ts/observe.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { OutageOptions } from '../../ts/store/store.ts';
import { Wire } from '../store/wire.ts';

const definition = defineSession({ n: mutable(() => 0), list: mutable<string[]>(() => []) });
const LOCAL = { policy: 'serve-local', failMs: 60 } as const;
const LEASE_MS = 150;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

type Sessions = SessionRepository<{ n: number; list: string[] }>;
interface World {
  readonly memory: MemoryStore;
  readonly wire: Wire;
  readonly ours: Sessions;
  readonly rival: Sessions;
  readonly events: HoldfastEvent[];
}

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** Two members of one store, of which one is behind a wire and has the lock of 's'. */
async function world(outage: OutageOptions | undefined, leaseMs: number = LEASE_MS): Promise<World> {
  const memory = new MemoryStore();
  const wire = new Wire(memory, outage);
  const options = { definition, lock: { leaseMs }, storeTimeoutMs: 1500 };
  const ours: Sessions = new SessionRepository({ ...options, store: wire.store });
  const rival: Sessions = new SessionRepository({ ...options, store: memory });
  const events: HoldfastEvent[] = [];
  ours.observe((event) => void events.push(event));
  await ours.scope('s', (state) => void (state.n = 1), { create: {} });
  ends.push(async () => {
    wire.state = 'up';
    await ours.close({ timeoutMs: 300 });
    await rival.close({ timeoutMs: 300 });
  });
  return { memory, wire, ours, rival, events };
}

const add = (sessions: Sessions, by = 1): Promise<number> => sessions.scope('s', (state) => (state.n += by));

const ofType = (events: readonly HoldfastEvent[], type: HoldfastEvent['type']): HoldfastEvent[] =>
  events.filter((event) => event.type === type);

// docs/protocol.md: Outages
describe('a holder whose primary does not answer', () => {
  it.each(['cut', 'stopped', 'mute'] as const)(
    'goes on from its image, and brings all of it in order: %s',
    async (how) => {
      const { wire, ours, rival, events } = await world(LOCAL);
      wire.state = how;
      const session = await ours.open('s');
      const settled: Promise<void>[] = [];
      for (let turn = 0; turn < 3; turn += 1) {
        session.state.n += 1;
        session.state.list.push(`turn ${turn}`);
        const saved = await session.save();
        expect(saved).toMatchObject({ revision: turn + 2, stored: false, kind: 'delta' });
        settled.push(saved.settled);
      }
      await session.close();
      await sleep(LEASE_MS + 50); // the lease is over
      expect(await add(ours)).toBe(5);
      expect(await ours.scope('s', (state) => [...state.list])).toEqual(['turn 0', 'turn 1', 'turn 2']);
      const begun = performance.now();
      wire.state = 'up';
      await Promise.all(settled);
      expect(performance.now() - begun).toBeLessThan(1000);
      expect(await rival.read('s')).toMatchObject({ n: 5, list: ['turn 0', 'turn 1', 'turn 2'] });
      expect(await add(ours)).toBe(6);
      expect(await rival.scope('s', (state) => state.n)).toBe(6);
      expect(ofType(events, 'unsettled')).toMatchObject([{ local: true }, {}, {}, {}]);
      expect(ofType(events, 'settled')).toMatchObject(Array(4).fill({ outcome: 'stored' }));
      expect(ofType(events, 'sent').map((event) => event.type === 'sent' && event.revision)).toEqual([
        1, 2, 3, 4, 5, 6,
      ]);
    },
  );

  it('tells of what another has written before it, and goes on from that', async () => {
    const { wire, ours, rival, events } = await world(LOCAL);
    wire.state = 'cut';
    const session = await ours.open('s');
    session.state.n = 100;
    const saved = await session.save();
    session.state.n = 101;
    const next = await session.save();
    expect(await add(rival, 10)).toBe(11); // the lease has ended
    wire.state = 'up';
    const lost = {
      code: 'ERR_CONFLICT',
      outcome: 'none',
      message: expect.stringMatching(/another has written first/) as string,
    };
    expect(await failureOf(saved.settled)).toMatchObject({ ...lost, revision: 2 });
    expect(await failureOf(next.settled)).toMatchObject({ ...lost, revision: 3 });
    expect(ofType(events, 'conflict')).toMatchObject([
      { revision: 1, lost: true },
      { revision: 2, lost: true },
    ]);
    session.state.n = 102;
    expect(await failureOf(session.save())).toMatchObject({
      code: expect.stringMatching(/ERR_CONFLICT|ERR_FENCED/) as string,
    });
    expect(session.closed).toBe(true);
    expect(await add(ours)).toBe(12);
    expect(await add(rival)).toBe(13);
  });

  it('asks for the lock again that another was given and has written nothing under', async () => {
    const { wire, ours, rival } = await world(LOCAL);
    wire.state = 'cut';
    const session = await ours.open('s');
    session.state.n = 5;
    const saved = await session.save();
    session.state.n = 6;
    await session.saveAndClose();
    const read = await rival.open('s');
    expect(read.state.n).toBe(1);
    wire.state = 'up';
    await sleep(50);
    const waiting = add(ours); // for what is saved here, and that for the other's use
    await read.close();
    await saved.settled;
    expect(await waiting).toBe(7);
    expect(await add(rival)).toBe(8);
  });

  it('hands the lock over when all of it is there, and not before', async () => {
    const { wire, ours, rival } = await world(LOCAL, 60_000);
    const session = await ours.open('s');
    const waiting = add(rival, 10);
    await sleep(50); // recalled
    wire.state = 'cut';
    session.state.n = 2;
    const saved = await session.saveAndClose();
    const again = await ours.open('s');
    again.state.n = 3;
    const last = await again.saveAndClose();
    expect([saved.stored, last.stored]).toEqual([false, false]);
    wire.state = 'up';
    await Promise.all([saved.settled, last.settled]);
    expect(await waiting).toBe(13);
  });

  it('has no more in memory than it may', async () => {
    const { wire, ours } = await world({ ...LOCAL, queueBytes: 3000 });
    wire.state = 'cut';
    const session = await ours.open('s');
    let failure: unknown;
    for (let turn = 0; turn < 10 && failure === undefined; turn += 1) {
      session.state.n += 1;
      failure = await failureOf(session.save());
    }
    expect(failure).toMatchObject({
      code: 'ERR_UNAVAILABLE',
      outcome: 'none',
      message: expect.stringMatching(/outage\.queueBytes = 3000/) as string,
    });
    wire.state = 'up';
    for (const end = Date.now() + 1000; (await failureOf(session.save())) !== undefined && Date.now() < end;)
      await sleep(10);
    expect((await session.save()).stored).toBe(true);
    await session.close();
  });

  it('waits where it is told to: for its own save, and for all before it', async () => {
    const { wire, ours, rival } = await world(LOCAL, 60_000);
    wire.state = 'cut';
    const session = await ours.open('s');
    session.state.n = 2;
    expect((await session.save()).stored).toBe(false);
    session.state.n = 3;
    setTimeout(() => (wire.state = 'up'), 200);
    expect((await session.save({ durable: true })).stored).toBe(true);
    expect(await rival.read('s')).toMatchObject({ n: 3 });
    wire.state = 'cut';
    session.state.n = 4;
    await session.save();
    const failure = await failureOf(session.save({ durable: true }));
    expect(failure).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
    await session.close();
  });

  it('is told at the end what the primary never got', async () => {
    const { wire, ours } = await world(LOCAL);
    wire.state = 'cut';
    const session = await ours.open('s');
    session.state.n = 2;
    const saved = await session.save();
    session.state.n = 3;
    await session.saveAndClose();
    const report = await ours.close({ timeoutMs: 100 });
    expect(report).toMatchObject({ unsettled: [], open: [], unstored: [{ id: 's', saves: 2 }] });
    expect(report.unstored[0]!.bytes).toBeGreaterThan(20);
    expect(await failureOf(saved.settled)).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
  });

  it('is told so where another does not give the lock back', async () => {
    const { wire, ours, rival } = await world(LOCAL);
    wire.state = 'cut';
    const session = await ours.open('s');
    session.state.n = 5;
    const saved = await session.saveAndClose();
    const kept = await rival.open('s');
    wire.state = 'up';
    await sleep(100);
    expect(await ours.close({ timeoutMs: 100 })).toMatchObject({ open: [], unstored: [{ id: 's', saves: 1 }] });
    expect(await failureOf(saved.settled)).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
    kept.state.n += 1;
    await kept.saveAndClose();
    expect(await rival.read('s')).toMatchObject({ n: 2 });
  });

  it('goes on from the next outage, too, also as it is told of the end of the one before', async () => {
    const { wire, ours, rival } = await world(LOCAL, 60_000);
    const session = await ours.open('s');
    const settled: Promise<void>[] = [];
    const save = async (): Promise<void> => {
      session.state.n += 1;
      settled.push((await session.save()).settled);
    };
    wire.state = 'cut';
    await save();
    const saving: Promise<void>[] = [];
    ours.observe(({ type }) => {
      if (type !== 'settled' || saving.length === 3) return;
      wire.state = 'cut';
      saving.push(save());
      setTimeout(() => (wire.state = 'up'), 50);
    });
    wire.state = 'up';
    while (saving.length < 3) await sleep(10);
    await Promise.all(saving);
    await session.close();
    await Promise.all(settled);
    expect([settled.length, await rival.scope('s', (state) => state.n)]).toEqual([4, 5]);
  });

  it('ends as soon as the primary has all of it', async () => {
    const { wire, ours, memory } = await world(LOCAL);
    wire.state = 'cut';
    await add(ours);
    setTimeout(() => (wire.state = 'up'), 150);
    expect(await ours.close({ timeoutMs: 5000 })).toEqual({ unsettled: [], open: [], unstored: [], unfed: [] });
    expect((await memory.read('s', { since: ORIGIN })).head?.position.revision).toBe(2);
    const lock = { member: 'another', ticket: 1, leaseMs: 1000, wait: false, since: ORIGIN };
    expect(await memory.lock('s', lock)).toMatchObject({ granted: true }); // it was given back
  });

  it('lets nobody else go on from what is here alone', async () => {
    const { wire, ours } = await world(LOCAL, 60_000);
    wire.state = 'cut';
    await add(ours);
    const failing = { code: 'ERR_UNAVAILABLE', outcome: 'none' };
    expect(await failureOf(ours.scope('s', () => 1, { outage: { policy: 'fail' } }))).toMatchObject(failing);
    expect(await failureOf(ours.delete('s'))).toMatchObject(failing);
    expect(await failureOf(ours.changeId('s', 't'))).toMatchObject({ code: 'ERR_UNAVAILABLE' });
    expect(await failureOf(ours.scope('new', () => 1, { create: {} }))).toMatchObject({ code: 'ERR_UNAVAILABLE' });
    expect(await failureOf(ours.read('s'))).toMatchObject({ code: 'ERR_UNAVAILABLE' });
    expect(await add(ours)).toBe(3);
  });

  it('lets nobody else go on who has waited for the lock meanwhile', async () => {
    const { wire, ours } = await world(LOCAL, 60_000);
    const session = await ours.open('s');
    const seen: number[] = [];
    const waiting = ours.scope('s', (state) => seen.push(state.n), { outage: { policy: 'fail', failMs: 40 } });
    wire.state = 'cut';
    session.state.n = 7;
    expect((await session.save()).stored).toBe(false);
    await session.close();
    expect(await failureOf(waiting)).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
    expect(seen).toEqual([]);
    expect(await add(ours)).toBe(8);
  });

  it('reads and saves without a lock, too, what it has the lock of', async () => {
    const { wire, ours, rival } = await world(LOCAL);
    wire.state = 'cut';
    await add(ours);
    await sleep(LEASE_MS);
    expect(await ours.scope('s', (state) => state.n, { mode: 'read' })).toBe(2);
    expect(await ours.scope('s', (state) => (state.n += 1), { mode: 'optimistic' })).toBe(3);
    expect(await ours.scope('s', (state) => state.n)).toBe(3);
    wire.state = 'up';
    for (const end = Date.now() + 1000; (await rival.read('s'))?.n !== 3 && Date.now() < end;) await sleep(10);
    expect(await rival.read('s')).toMatchObject({ n: 3 });
  });

  it('serves no session that it has not the lock of', async () => {
    const { wire, ours, rival } = await world(LOCAL);
    await add(rival);
    wire.state = 'cut';
    expect(await failureOf(add(ours))).toMatchObject({ code: 'ERR_UNAVAILABLE' });
    expect(await failureOf(ours.scope('s', (state) => state.n, { mode: 'read' }))).toMatchObject({
      code: 'ERR_UNAVAILABLE',
    });
  });

  it('keeps what waits, however little it may keep of sessions', async () => {
    const { memory } = await world(undefined);
    const wire = new Wire(memory, LOCAL);
    const small: Sessions = new SessionRepository({
      store: wire.store,
      definition,
      cacheBytes: 1,
      lock: { leaseMs: LEASE_MS },
    });
    const session = await small.open('s');
    wire.state = 'cut';
    session.state.n = 2;
    const saved = await session.save();
    await session.close();
    expect(await add(small)).toBe(3);
    wire.state = 'up';
    await saved.settled;
    await small.close();
  });

  it('calls onSaved when the primary has it', async () => {
    const memory = new MemoryStore();
    const wire = new Wire(memory, LOCAL);
    const told: number[] = [];
    const onSaved = ({ revision, stored }: { revision: number; stored: boolean }): void =>
      void (stored && told.push(revision));
    const sessions: Sessions = new SessionRepository({ store: wire.store, definition, onSaved });
    await sessions.scope('s', (state) => void (state.n = 1), { create: {} });
    wire.state = 'cut';
    const session = await sessions.open('s');
    session.state.n = 2;
    const saved = await session.saveAndClose();
    expect([saved.stored, told]).toEqual([false, [1]]);
    expect(saved.changes()).toEqual([{ op: 'set', path: ['n'], value: 2 }]);
    wire.state = 'up';
    await saved.settled;
    await sleep(0);
    expect(told).toEqual([1, 2]);
    await sessions.close();
  });
});

describe('a use that fails with its primary', () => {
  it('does so within failMs, with the right outcome, and goes on when it is back', async () => {
    const { wire, ours, events } = await world({ failMs: 60 }, 60_000);
    const session = await ours.open('s');
    wire.state = 'cut';
    session.state.n = 2;
    const begun = performance.now();
    expect(await failureOf(session.save())).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'none' });
    wire.state = 'mute';
    expect(await failureOf(session.save())).toMatchObject({ code: 'ERR_UNAVAILABLE', outcome: 'unknown' });
    expect(performance.now() - begun).toBeLessThan(1000); // of storeTimeoutMs = 1500
    wire.state = 'up';
    await session.save();
    expect(session.revision).toBe(2);
    await session.close();
    expect(ofType(events, 'unsettled')).toEqual([expect.not.objectContaining({ local: true })]);
  });

  it('may ask to go on all the same, for one use or one save', async () => {
    const { wire, ours } = await world(undefined, 60_000);
    const session = await ours.open('s');
    wire.state = 'cut';
    session.state.n = 2;
    expect((await session.save({ outage: LOCAL })).stored).toBe(false);
    session.state.n = 3;
    const error = (await failureOf(session.save())) as HoldfastError;
    expect([error.code, error.outcome]).toEqual(['ERR_UNAVAILABLE', 'none']);
    wire.state = 'up';
    await session.saveAndClose();
    wire.state = 'cut';
    expect(await ours.scope('s', (state) => (state.n += 1), { outage: LOCAL })).toBe(4);
    wire.state = 'up';
    expect(await add(ours)).toBe(5);
  });

  it('takes no wrong option', async () => {
    const { ours } = await world(undefined);
    const session = await ours.open('s');
    await expect(session.save({ outage: { policy: 'serve' as 'fail' } })).rejects.toThrow(
      /outage\.policy must be one of 'fail', 'serve-local'/,
    );
    await expect(session.save({ durable: 1 as unknown as boolean })).rejects.toThrow(/durable must be true or false/);
    await session.close();
    await expect(ours.open('s', { outage: { failMs: 0 } })).rejects.toMatchObject({ code: 'ERR_INVALID' });
  });
});
