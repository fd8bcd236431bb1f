import { mock } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../ts/clock.ts';
import { defineSession, immutable, mutable } from '../ts/session/definition.ts';
import { SessionRepository } from '../ts/session/repository.ts';
import { MemoryStore } from '../ts/store/memory.ts';
import { Sweeper } from '../ts/store/sweeper.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const definition = defineSession({ n: mutable<number>(() => 0) });
const dated = defineSession({
  at: mutable<Date>(() => new Date()),
  since: immutable<Date>(() => new Date()),
  all: mutable<Date[]>(() => []),
});

const { setTimeout: realTimeout, Date: RealDate } = globalThis;
const pause = (ms: number): Promise<void> => new Promise((resolve) => realTimeout(resolve, ms));
async function until(done: () => boolean): Promise<boolean> {
  for (let i = 0; i < 500 && !done(); i += 1) await pause(10);
  return done();
}

const FAKES: readonly (readonly [name: string, install: () => void])[] = [
  ['vitest', () => void vi.useFakeTimers({ now: 5 })],
  ['vitest, for the date alone', () => void vi.setSystemTime(5)],
  ['node:test', () => mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 5 })],
];
const remove = (): void => {
  vi.useRealTimers();
  mock.timers.reset();
};
beforeEach(() => void vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined));
afterEach(() => {
  remove();
  vi.restoreAllMocks();
});

describe.each(FAKES)('under the fake timers of %s', (_name, install) => {
  it('the system\u2019s clock goes on', async () => {
    const before = systemClock.monotonic();
    const fired: string[] = [];
    const stop = systemClock.after(5, () => fired.push('cancelled under them'));
    install();
    expect([new Date().getTime(), Math.abs(systemClock.now() - RealDate.now()) < 1000]).toEqual([5, true]);
    stop();
    systemClock.after(5, () => fired.push('set under them'));
    const late = systemClock.after(20, () => fired.push('cancelled after them'));
    expect(await until(() => fired.length > 0)).toBe(true);
    expect(systemClock.monotonic() - before).toBeGreaterThan(4);
    remove();
    late();
    await pause(30);
    expect(fired).toEqual(['set under them']);
  });

  it('what is done every so often goes on, and after them', async () => {
    const store = new MemoryStore();
    const sessions = new SessionRepository({ store, definition, autosave: { everyMs: 5 } });
    const session = await sessions.create({}, { id: 's' });
    let sweeps = 0;
    const swept = async (): Promise<{ swept: number }> => ({ swept: (sweeps += 1) });
    const sweeper = new Sweeper({ sweep: swept }, systemClock, { sweepEveryMs: 5 });
    install();
    const before = sweeps;
    expect(await until(() => sweeps > before + 2)).toBe(true);
    remove();
    session.state.n = 7;
    const then = sweeps;
    expect(await until(() => sweeps > then + 2 && session.revision > 0)).toBe(true);
    sweeper.stop();
    await session.close();
    expect(await sessions.read('s')).toEqual({ n: 7 });
  });

  it('dates that are made under them, or before, are dates', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition: dated });
    await sessions.scope('s', (state) => void (state.at = new RealDate(3)), { create: { since: new RealDate(4) } });
    install();
    expect(await sessions.scope('s', ({ at, since }) => [at.getTime(), since.getTime()])).toEqual([3, 4]);
    await sessions.scope('s', (state) => void state.at.setTime(7)); // decoded before
    await sessions.scope('s', (state) => void state.all.push(new Date(), state.at, state.since));
    const copy = await sessions.scope('s', ({ all, since }) => ({ all, since }));
    copy.all[0]?.setTime(8);
    copy.since.setTime(8);
    await expect(sessions.scope('s', (state) => state.since.setTime(9))).rejects.toMatchObject({ code: 'ERR_INVALID' });
    await (await sessions.create({}, { id: 't' })).saveAndClose();
    remove();
    const { at, since, all } = (await sessions.read('s')) ?? {};
    expect([at?.getTime(), since?.getTime(), all?.map(Number)]).toEqual([7, 4, [5, 7, 4]]);
    await sessions.scope('s', (state) => void state.all[0]?.setTime(6));
    expect((await sessions.read('s'))?.all.map(Number)).toEqual([6, 7, 4]);
    expect((await sessions.read('t'))?.since.getTime()).toBe(5);
  });

  it('sessions that are dropped unclosed are told of after them', async () => {
    const sessions = new SessionRepository({ store: new MemoryStore(), definition });
    const lost: string[] = [];
    sessions.observe((event) => void (event.type === 'unclosed' && lost.push(event.id)));
    install();
    await sessions.scope('other', (state) => void (state.n = 1), { create: {} });
    remove();
    await (async () => void (await sessions.open('s', { create: {} })).state.n)();
    expect(await until(() => (collect(), lost.length > 0))).toBe(true);
    expect(lost).toEqual(['s']);
  });
});

it('fakes that were there first are taken as they are, and the real ones once they are back', async () => {
  vi.useFakeTimers();
  vi.resetModules();
  const late = (await import('../ts/clock.ts')).systemClock;
  const fired: string[] = [];
  late.after(5, () => fired.push('fake'));
  vi.advanceTimersByTime(6);
  expect(fired).toEqual(['fake']);
  vi.useRealTimers();
  late.after(5, () => fired.push('real'));
  expect(await until(() => fired.length === 2)).toBe(true);
});
