import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../ts/errors.ts';
import { check } from '../../ts/history/check.ts';
import type { Mark } from '../../ts/history/mark.ts';
import { Recorder } from '../../ts/history/record.ts';
import { ORIGIN } from '../../ts/position.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Append, Store } from '../../ts/store/store.ts';
import { VirtualClock } from './world.ts';

const SECRET = 'a value that no history may show';
const bytes = new TextEncoder().encode(SECRET);
const first: Append = {
  parent: ORIGIN,
  position: { revision: 1, nonce: 7 },
  kind: 'snapshot',
  bytes,
  under: 0,
  expiry: { idleMs: 1000 },
};

function recorded(inner: Store, clock: VirtualClock) {
  const marks: Mark[] = [];
  const recorder = new Recorder({ who: 'p', clock, sink: (mark) => marks.push(mark) });
  return { marks, recorder, store: recorder.store(inner, 'primary', 'primary') };
}

describe('a recorded store', () => {
  let clock: VirtualClock;
  let inner: MemoryStore;

  beforeEach(() => {
    clock = new VirtualClock();
    inner = new MemoryStore({ clock, sweepEveryMs: Infinity });
  });

  afterEach(() => inner.close());

  it('writes down each call and its answer, and changes neither', async () => {
    const { marks, store } = recorded(inner, clock);
    const { member, leave, watch } = await store.join(() => undefined);
    await watch(['x']);
    const lock = await store.lock('x', { member, ticket: 1, leaseMs: 100, wait: true, since: ORIGIN });
    expect(lock).toMatchObject({ granted: true, token: 1, leaseLeftMs: 100 });
    expect(await store.append('x', { ...first, under: 1, lock: 'leave' })).toEqual({
      appended: true,
      token: 1,
      wanted: false,
    });
    expect((await store.append('x', { ...first, position: { revision: 1, nonce: 8 }, under: 1 })).appended).toBe(false);
    expect((await store.read('x', { since: ORIGIN })).records).toEqual([bytes]);
    await store.touch('x', { token: 1, renew: true });
    expect((await store.inspect('x')).lock.holder?.member).toBe(member);
    await store.unlock('x', { token: 1 });
    await store.unlock('x', { member, ticket: 1 });
    expect(await store.list({ limit: 10 })).toEqual({ ids: ['x'] });
    await store.sweep({ limit: 10, graceMs: 0 });
    await store.replace('x', { records: [{ ...first }], createdAt: 0, expiry: {}, token: 0 }, undefined);
    expect(await store.promote(0)).toEqual({ epoch: 1 });
    expect(await store.ping()).toEqual({ epoch: 1 });
    await leave();
    const ops = [
      'join',
      'lock',
      'append',
      'append',
      'read',
      'touch',
      'inspect',
      'unlock',
      'unlock',
      'list',
      'sweep',
      'replace',
      'promote',
      'ping',
      'leave',
    ];
    expect(
      marks.map((mark) =>
        mark.mark === 'call' ? mark.request.op : mark.mark === 'answer' ? mark.answer?.op : undefined,
      ),
    ).toEqual(ops.flatMap((op) => [op, op]));
    expect(marks.filter((mark) => mark.mark === 'answer').map(({ outcome }) => outcome)).toEqual(ops.map(() => 'ok'));
    expect(check(marks, []).findings).toEqual([]);
  });

  it('writes JSON that is the same when it is read back, without values', async () => {
    const { marks, store } = recorded(inner, clock);
    await store.append('x', { ...first, expiry: undefined });
    await store.read('x', { since: ORIGIN });
    await store.touch('x', { token: 0 });
    const text = JSON.stringify(marks);
    expect(JSON.parse(text)).toEqual(marks.map((mark) => JSON.parse(JSON.stringify(mark)) as Mark));
    expect(text).not.toContain('null');
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain(JSON.stringify([...bytes]).slice(1, -1));
  });

  it('has the call written before it is made, and the answer before the caller has it', async () => {
    const { marks, store } = recorded(
      {
        ...inner,
        can: inner.can,
        read: async () => (expect(marks).toHaveLength(1), { head: undefined, records: [], whole: true }),
      } as unknown as Store,
      clock,
    );
    await store.read('x', { since: ORIGIN }).then(() => expect(marks).toHaveLength(2));
  });

  it.each([
    [new HoldfastError('ERR_UNAVAILABLE', 'x', { outcome: 'none' }), 'failed'],
    [new HoldfastError('ERR_UNAVAILABLE', 'x', { outcome: 'unknown' }), 'unknown'],
    [new HoldfastError('ERR_UNAVAILABLE', 'x'), 'unknown'],
    [new HoldfastError('ERR_INVALID', 'x'), 'failed'],
    [new TypeError('x'), 'unknown'],
  ])('%s: %s', async (error, outcome) => {
    const { marks, store } = recorded({ append: () => Promise.reject(error) } as unknown as Store, clock);
    await expect(store.append('x', first)).rejects.toBe(error);
    expect(marks[1]).toMatchObject({ mark: 'answer', call: 1, outcome });
  });

  it('numbers calls and uses of a process, whatever store they are about', async () => {
    const { marks, recorder, store } = recorded(inner, clock);
    const backup = recorder.store(inner, 'backup', 'backup');
    await store.ping();
    await backup.ping();
    const use = recorder.use({ store: 'primary', id: 'x', ends: 'change', to: 'y', graceMs: 10 });
    use.saw(['a'], { id: 'z', from: 3 });
    use.put(['b']);
    use.kept(['b'], 'ok', 5);
    use.done('unknown', { code: 'ERR_UNAVAILABLE' });
    expect(
      marks.filter((mark) => mark.mark === 'call').map(({ call, store: name, role }) => [call, name, role]),
    ).toEqual([
      [1, 'primary', 'primary'],
      [2, 'backup', 'backup'],
    ]);
    expect(marks.slice(4).map((mark) => ({ ...mark, at: 0, wall: 0, who: '' }))).toMatchObject([
      { mark: 'use', use: 1, store: 'primary', id: 'x', ends: 'change', to: 'y', graceMs: 10 },
      { mark: 'saw', use: 1, keys: ['a'], id: 'z', from: 3 },
      { mark: 'put', use: 1, keys: ['b'] },
      { mark: 'kept', use: 1, keys: ['b'], outcome: 'ok', length: 5 },
      { mark: 'done', use: 1, outcome: 'unknown', code: 'ERR_UNAVAILABLE' },
    ]);
  });
});
