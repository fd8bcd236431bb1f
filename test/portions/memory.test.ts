import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { msgpackCodec } from '../../ts/codec/msgpack.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { defineSession, mutable, type SessionOf } from '../../ts/session/definition.ts';
import { BUILT_IN_TYPES } from '../../ts/codec/built-in-types.ts';
import { Portions } from '../../ts/portions/portions.ts';
import { Runs } from '../../ts/portions/runs.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import { Tracker, unwrap } from '../../ts/tracking/tracker.ts';
import { MapSlots } from '../tracking/fixture.ts';
import { through } from '../store/through.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const definition = defineSession({ doc: mutable<{ n: number; text: string }>() });
const doc = (): { n: number; text: string } => ({ n: 0, text: 'x'.repeat(2_000) });

describe('memory that is used again for later targets', () => {
  it('is not that of a session which came of another by a change of id whose outcome was unknown', async () => {
    let silent = false;
    const store = through(new MemoryStore(), {
      async append(call, id) {
        const answer = await call();
        if (id !== 'new' || !silent) return answer;
        throw new HoldfastError('ERR_UNAVAILABLE', 'cut', { outcome: 'unknown' });
      },
    });
    const sessions = new SessionRepository({ store, definition, storeTimeoutMs: 50 });
    const known = new Promise<void>((resolve) => {
      sessions.observe((event) => void (event.type === 'settled' && resolve()));
    });
    const session = await sessions.create({ doc: doc() }, { id: 'old' });
    await session.save();
    session.state.doc!.n = 1;
    await session.save();
    silent = true;
    await expect(session.changeId('new')).rejects.toMatchObject({ outcome: 'unknown' });
    silent = false;
    await known;
    for (let n = 2; n < 5; n += 1) {
      session.state.doc!.n = n;
      await session.save();
    }
    await session.close();
    expect(await sessions.scope('new', ({ doc }) => doc?.n)).toBe(1);
    await sessions.scope('new', (state) => void (state.doc!.n = 7));
    expect(await sessions.read('new')).toEqual({ doc: { ...doc(), n: 7 } });
    await sessions.close();
  });
});

describe('after a save nothing is held', () => {
  interface Thing {
    n: number;
    text: string;
    when?: Date;
    list: number[];
  }
  const things = defineSession({ a: mutable<Thing>() });

  /** Whether it is held by whoever is left. */
  async function isHeld(thing: WeakRef<object>): Promise<boolean> {
    for (let i = 0; i < 20 && thing.deref() !== undefined; i += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      collect();
    }
    return thing.deref() !== undefined;
  }

  async function opened(text: string): Promise<SessionOf<typeof things>> {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: things });
    const session = await sessions.create({ a: { n: 1, text, when: new Date(1), list: [1] } });
    await session.save();
    return session;
  }

  it.each([
    ['that was spliced', 'x'.repeat(2_000), (a: Thing) => void delete a.when],
    ['of little', '', (a: Thing) => void delete a.when],
    ['of what cannot be spliced', 'x'.repeat(2_000), (a: Thing) => void (delete a.when, (a.list[5] = 1))],
  ])('of what it took away: one %s', async (_name, text, remove) => {
    const session = await opened(text);
    const removed = new WeakRef(session.state.a!.when!);
    await session.save();
    remove(session.state.a!);
    await session.save();
    expect(await isHeld(removed)).toBe(false);
    await session.close();
  });

  it('of an attribute that it took away', async () => {
    const session = await opened('x'.repeat(2_000));
    const removed = new WeakRef(unwrap(session.state.a!));
    delete session.state.a;
    await session.save();
    expect(await isHeld(removed)).toBe(false);
    await session.close();
  });

  it('of how many parts it was put together from', async () => {
    const bytes = (): number => (collect(), process.memoryUsage().arrayBuffers);
    const runs = new Runs();
    const before = bytes();
    const put = (): Uint8Array => {
      runs.begin();
      for (let i = 0; i < 200_000; i += 1) runs.edit(2 * i, 1, 1);
      const target = runs.put(Buffer.alloc(400_000, 1), Buffer.alloc(200_000, 2));
      runs.end();
      return target;
    };
    expect(put().every((byte, i) => byte === (i % 2 === 0 ? 2 : 1))).toBe(true);
    // What is collected is freed a little later.
    for (let i = 0; i < 50 && bytes() - before >= 2 ** 20; i += 1) await new Promise((done) => setTimeout(done, 20));
    expect(bytes() - before).toBeLessThan(2 ** 20);
    expect(put().length).toBe(400_000);
  });

  it('of a target that the image has a copy of', async () => {
    const portions = new Portions(BUILT_IN_TYPES);
    const raw = { n: 1, text: 'x'.repeat(2_000) };
    const slots = Object.assign(new MapSlots({ a: raw }), { owner: () => portions });
    const tracker = new Tracker(slots, { saveMode: 'write', classOf: () => 'mutable' });
    const base = msgpackCodec.encode(raw, 'a');
    portions.settle(base, raw);
    const spliced = (): WeakRef<object> => {
      (tracker.state['a'] as typeof raw).n = 2;
      const target = tracker.splice('a', base, false)!;
      portions.settle(new Uint8Array(target), raw);
      portions.accepted();
      return new WeakRef(target.buffer);
    };
    expect(await isHeld(spliced())).toBe(false);
    expect(portions.valueOf(base)).toBeUndefined();
  });
});
