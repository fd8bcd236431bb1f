import { createRequire } from 'node:module';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { formatPath } from '../../ts/path.ts';
import { plain, withoutState } from '../../ts/tracking/tracker.ts';
import { encoded, expectCode, settle, track, type Loose } from './fixture.ts';

const lodash = createRequire(import.meta.url)('lodash') as { cloneDeep<T>(value: T): T };
const classes = { im: 'immutable', mu: 'mutable' } as const;

describe('what cannot be frozen in an immutable attribute', () => {
  it('the setters of a Date throw and name its path; for all else it is a Date', () => {
    const at = new Date(86_400_000);
    const dates = { at, all: new Set([at]), by: new Map([[at, [new Date(1)]]]) };
    const { tracker, slots, s } = track({ im: dates }, { classes });
    const setters = Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set'));
    expect(setters.length).toBeGreaterThan(14);
    for (const name of setters) {
      const error = expectCode(() => s.im.at[name](5), 'ERR_INVALID');
      expect(error.paths?.map(formatPath)).toEqual(['im.at']);
    }
    const inside = s.im.by.get(s.im.at)[0];
    expect(expectCode(() => inside.setHours(5), 'ERR_INVALID').message).toMatch(
      /^im\.by\..*\[0\] is part of an immutable/,
    );
    expect(s.im.at).toBe(s.im.at);
    expect([s.im.all.has(s.im.at), [...s.im.all][0] === s.im.at]).toEqual([true, true]);
    expect([isDeepStrictEqual(s.im.at, at), Object.keys(s.im.at), lodash.cloneDeep(s.im.at).setTime(3)]).toEqual([
      true,
      [],
      3,
    ]);
    expect([structuredClone(s.im.at).setTime(3), new Date(s.im.at).setTime(3), plain(s.im).at.setTime(3)]).toEqual([
      3, 3, 3,
    ]);
    const own = s.im.at.setTime;
    expect(own.call(new Date(), 3)).toBe(3);
    s.mu = { at: s.im.at };
    s.mu.at.setTime(7);
    expect(withoutState({ at: s.im.at }).at.setTime(9)).toBe(9);
    tracker.capture();
    expect((slots.get('im') as Loose).at.getTime()).toBe(86_400_000);
    const held = s.im.at;
    tracker.close('s');
    expect(held.getTime()).toBe(86_400_000);
    expectCode(() => held.setTime(1), 'ERR_CLOSED');
    const next = track({ im: slots.get('im') }, { classes }).s;
    expect(next.im.at.getTime()).toBe(86_400_000);
    expect(expectCode(() => next.im.at.setTime(1), 'ERR_INVALID').paths?.map(formatPath)).toEqual(['im.at']);
  });

  it.each([
    ['a Buffer', Buffer.from('abc'), (bytes: Loose): unknown => (bytes[1] = 0)],
    ['a Uint8Array', Uint8Array.of(1, 2, 3), (bytes: Loose): unknown => bytes.fill(9)],
    ['a Float64Array', Float64Array.of(1, 2, 3), (bytes: Loose): unknown => bytes.reverse()],
    ['an ArrayBuffer', Uint8Array.of(1, 2, 3).buffer, (bytes: Loose): unknown => new Uint8Array(bytes).set([7], 2)],
    ['a DataView', new DataView(new ArrayBuffer(8), 2, 4), (bytes: Loose): unknown => bytes.setUint8(3, 1)],
  ])('%s that is changed in place stops the save', (_name, bytes, change) => {
    const { tracker, slots, s } = track({ im: { list: [bytes] }, mu: { n: 1 } }, { classes });
    const before = encoded(slots, 'im');
    const held = s.im.list[0];
    expect([isDeepStrictEqual(held, bytes), s.im.list[0] === held]).toEqual([true, true]);
    settle(tracker);
    s.mu.n = 2;
    settle(tracker);
    change(held);
    const error = expectCode(() => tracker.capture(), 'ERR_INVALID');
    expect(error.message).toMatch(
      /^im\.list\[0\] was changed in place, so that nothing is saved: it is part of an immutable attribute.*: copy it/,
    );
    expect([encoded(slots, 'im'), error.paths?.map(formatPath)]).toEqual([before, ['im.list[0]']]);
  });

  it('bytes that are changed once the session has ended are given on as they are', () => {
    const { tracker, s } = track({ im: { face: Buffer.from('abc') } }, { classes });
    const held = s.im.face;
    tracker.close('s');
    held[0] = 120;
    const next = track({ mu: {} }, { classes }).s;
    next.mu.face = held;
    next.mu.list = [plain(held)];
    held[1] = 121;
    expect([next.mu.face, next.mu.list[0], withoutState(held)].map(String)).toEqual(['xbc', 'xbc', 'xyc']);
  });

  it('bytes that are passed on to a worker are no change', () => {
    const { tracker, s } = track({ im: Uint8Array.of(1, 2, 3) }, { classes });
    structuredClone(s.im, { transfer: [s.im.buffer] });
    expect([...s.im]).toEqual([1, 2, 3]);
    structuredClone(s.im, { transfer: [s.im.buffer] });
    settle(tracker);
    expect([...s.im]).toEqual([1, 2, 3]);
  });
});
