import diagnostics from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Observers } from '../ts/observe.ts';
import type { EventType, Fields, HoldfastEvent } from '../ts/observe.ts';

const id = 'k7Qw2LmN8xTzR4vB9cYd3FhJ';

/** One of each, with whole ids, as the places where they happen tell them. */
const EACH: { readonly [T in EventType]: Fields<T> } = {
  grant: { id, waitMs: 3, handOver: true },
  wait: { id, waitMs: 1000 },
  recall: { id, busy: true },
  'lock-lost': { id },
  sent: { id, place: 'primary', kind: 'delta', revision: 2, bytes: 28 },
  conflict: { id, revision: 2, paths: [['cart', 0]] },
  'backup-lag': { id, backup: 0 },
  'backup-error': { id, backup: 0, code: 'ERR_UNAVAILABLE', message: 'down', fenced: false },
  'backup-caught-up': { id, backup: 0, behindMs: 20 },
  damage: { id, place: 0, revision: undefined, message: 'torn' },
  repaired: { id, place: 0, from: 'primary', revision: 3 },
  expired: { id },
  'clock-jump': { jumpMs: 7_200_000 },
  engine: { engine: 'js', why: 'missing' },
  unsettled: { id, revision: 4 },
  settled: { id, revision: 4, outcome: 'stored', tookMs: 20 },
  superseded: { id, revision: 4 },
  unclosed: { id, openedAt: 'open (file:///app.js:1:1)' },
  'autosave-error': { id, code: 'ERR_UNAVAILABLE', message: 'down' },
};
const TYPES = Object.keys(EACH) as EventType[];

const observersAt = (now = 100): Observers => new Observers({ now: () => now });
const emitEach = (observers: Observers): void => TYPES.forEach((type) => observers.emit(type, () => EACH[type]));

afterEach(() => vi.restoreAllMocks());

describe('observers', () => {
  it('hand out each event with its time, in order, and never a whole id', () => {
    const observers = observersAt(42);
    const seen: HoldfastEvent[] = [];
    observers.observe((event) => seen.push(event));
    emitEach(observers);
    expect(seen.map(({ type }) => type)).toEqual(TYPES);
    seen.forEach((event, index) => {
      const fields = EACH[TYPES[index] as EventType];
      expect(event).toEqual({ type: TYPES[index], at: 42, ...fields, ...('id' in fields && { id: 'k7Qw2LmN…' }) });
      expect(Object.isFrozen(event)).toBe(true);
    });
    expect(inspect(seen, { depth: Infinity, showHidden: true })).not.toContain(id.slice(0, 9));
  });

  it('build no event when nobody listens', () => {
    const observers = observersAt();
    const build = vi.fn(() => EACH.grant);
    observers.emit('grant', build);
    const end = observers.observe(() => undefined);
    observers.emit('grant', build);
    expect(build).toHaveBeenCalledTimes(1);
    end();
    observers.emit('grant', build);
    expect(build).toHaveBeenCalledTimes(1);
  });

  it('end each listening by itself, also twice, also while an event is handed out', () => {
    const observers = observersAt();
    const calls: string[] = [];
    const listener = (): number => calls.push('twice');
    const endFirst = observers.observe(listener);
    observers.observe(listener);
    const ends: (() => void)[] = [];
    ends.push(
      observers.observe(() => (calls.push('ends others'), ends.forEach((end) => end()))),
      observers.observe(() => calls.push('ended')),
    );
    observers.emit('grant', () => EACH.grant);
    expect(calls.splice(0)).toEqual(['twice', 'twice', 'ends others']);
    endFirst();
    endFirst();
    observers.emit('grant', () => EACH.grant);
    expect(calls).toEqual(['twice']);
  });

  it('keep the order for every listener when one causes further events, and begin listening with the next', () => {
    const observers = observersAt();
    const first: string[] = [];
    const second: string[] = [];
    const late: string[] = [];
    observers.observe(({ type }) => {
      first.push(type);
      if (type !== 'grant') return;
      observers.emit('recall', () => EACH.recall);
      observers.observe((event) => late.push(event.type));
    });
    observers.observe(({ type }) => second.push(type));
    observers.emit('grant', () => EACH.grant);
    observers.emit('sent', () => EACH.sent);
    expect([first, second, late]).toEqual([
      ['grant', 'recall', 'sent'],
      ['grant', 'recall', 'sent'],
      ['recall', 'sent'],
    ]);
  });

  it.each([
    [
      'throws an error',
      () => {
        throw new Error('broken');
      },
    ],
    [
      'throws text',
      () => {
        throw 'broken';
      },
    ],
    [
      'throws what cannot be shown',
      () => {
        throw Object.defineProperty(new Error('x'), 'message', {
          get: () => {
            throw new Error('no');
          },
        });
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
    [
      'gives a broken promise',
      () => ({
        get then() {
          throw new Error('broken');
        },
      }),
    ],
  ])('a listener that %s fails nothing, is called on, and gives one warning', async (_name, listener) => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const observers = observersAt();
    const failing = vi.fn(listener);
    const seen: string[] = [];
    observers.observe(failing);
    observers.observe(({ type }) => seen.push(type));
    emitEach(observers);
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen).toEqual(TYPES);
    expect(failing).toHaveBeenCalledTimes(TYPES.length);
    expect(warning.mock.calls).toEqual([
      [expect.stringMatching(/^a listener of events failed at 'grant': ('?broken|with something)/), 'HoldfastWarning'],
    ]);
    observers.observe(failing);
    observers.emit('sent', () => EACH.sent);
    await new Promise((resolve) => setImmediate(resolve));
    expect(warning).toHaveBeenCalledTimes(2);
  });

  it('publish on diagnostics_channel, also when no listener is there', () => {
    const observers = observersAt(7);
    const seen: unknown[] = [];
    const listener = (event: unknown, name: string | symbol): number => seen.push([name, event]);
    diagnostics.subscribe('holdfast:sent', listener);
    try {
      emitEach(observers);
      expect(seen).toEqual([['holdfast:sent', { type: 'sent', at: 7, ...EACH.sent, id: 'k7Qw2LmN…' }]]);
    } finally {
      diagnostics.unsubscribe('holdfast:sent', listener);
    }
    emitEach(observers);
    expect(seen.length).toBe(1);
  });

  it('refuse what is no function', () => {
    expect(() => observersAt().observe({} as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID' }));
  });

  it('take the fields of their type only', () => {
    const observers = observersAt();
    // @ts-expect-error -- the id is missing
    observers.emit('grant', () => ({ waitMs: 1 }));
    // @ts-expect-error -- no such type
    observers.emit('granted', () => EACH.grant);
  });
});
