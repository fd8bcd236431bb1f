import { expect, it } from 'vitest';
import { Backup } from '../../ts/backup/backup.ts';
import type { Fed, LogReader } from '../../ts/backup/copy.ts';
import { HoldfastError } from '../../ts/errors.ts';
import { Observers } from '../../ts/observe.ts';
import { ORIGIN } from '../../ts/position.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Store } from '../../ts/store/store.ts';
import { VirtualClock } from '../../ts/testing/index.ts';

const MOST = 100_000;
const BEYOND = 50;

const first: Fed = {
  parent: ORIGIN,
  position: { revision: 1, nonce: 5 },
  kind: 'snapshot',
  bytes: Buffer.from('first'),
  under: 0,
};
const second: Fed = { ...first, parent: first.position, position: { revision: 2, nonce: 6 }, kind: 'delta' };

/** Of sessions with one snapshot. */
const reader: LogReader = {
  whole: (_, { records }) => records.map((bytes, index) => (index === 0 ? { ...first, bytes } : { ...second, bytes })),
  after: () => [],
};

/** A store that is down until it is told otherwise. */
function fickle(store: Store): { readonly store: Store; come(): void } {
  let isUp = false;
  const answer = <T>(call: () => Promise<T>): Promise<T> =>
    isUp ? call() : Promise.reject(new HoldfastError('ERR_UNAVAILABLE', 'it is down', { outcome: 'none' }));
  const methods = new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? (...args: unknown[]) => answer(() => value.apply(target, args)) : value;
    },
  });
  return { store: methods, come: () => void (isUp = true) };
}

it('a backup that is down remembers 100,000 sessions, tells of the others too, and takes them with their next save', async () => {
  const clock = new VirtualClock();
  const [primary, kept] = [new MemoryStore({ clock }), new MemoryStore({ clock })];
  const { store, come } = fickle(kept);
  const observers = new Observers(clock);
  let told = 0;
  observers.observe(({ type }) => void (told += type === 'backup-error' ? 1 : 0));
  const backup = new Backup(0, { store }, { primary, clock, observers, reader, call: {}, onRestored: () => undefined });

  for (let from = 0; from < MOST + BEYOND; from += 1000) {
    const ids = Array.from({ length: Math.min(1000, MOST + BEYOND - from) }, (_, i) => `s${from + i}`);
    await Promise.all(ids.map((id) => backup.feed(id, first)));
  }
  expect([backup.behind().size, backup.lacking().length, told]).toEqual([MOST, MOST, MOST + BEYOND]);
  expect([backup.behind().has(`s${MOST - 1}`), backup.behind().has(`s${MOST}`)]).toEqual([true, false]);

  const [listed, beyond] = ['s7', `s${MOST + 7}`];
  for (const id of [listed, beyond]) for (const record of [first, second]) await primary.append(id, record);
  come();
  for (const id of [listed, beyond]) {
    await backup.feed(id, second);
    expect((await kept.read(id, { since: ORIGIN })).head?.position).toEqual(second.position);
  }
  expect([backup.behind().size, backup.behind().has(listed)]).toEqual([MOST - 1, false]);
  await Promise.all([primary.close(), kept.close()]);
}, 60_000);
