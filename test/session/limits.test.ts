import { describe, expect, it } from 'vitest';
import type { HoldfastError } from '../../ts/errors.ts';
import { ORIGIN } from '../../ts/position.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { Append } from '../../ts/store/store.ts';
import { decodeRecord, encodeRecord } from '../../ts/log/record.ts';
import type { LogRecord } from '../../ts/log/record.ts';

const definition = defineSession({ text: mutable<string>(() => ''), n: mutable<number>(() => 0) });

/** A log of a snapshot and three deltas, and each of its records. */
async function log(): Promise<{ appends: Append[]; store: MemoryStore }> {
  const store = new MemoryStore();
  const appends: Append[] = [];
  const append = store.append.bind(store);
  store.append = (id, one) => (appends.push({ ...one, bytes: new Uint8Array(one.bytes) }), append(id, one));
  const sessions = new SessionRepository({ store, definition });
  await sessions.scope('s', (state) => void (state.text = 'the quick brown fox '.repeat(40)), { create: true });
  for (let i = 0; i < 3; i += 1)
    await sessions.scope('s', (state) => void ((state.text = state.text.replace('quick', `slow${i}`)), (state.n = i)), {
      create: true,
    });
  return { appends, store };
}

/** A store that holds these records as they are. */
async function storeOf(appends: readonly Append[], id = 's'): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const append of appends) await store.append(id, { ...append, under: 9, lock: 'leave' });
  return store;
}

const readFrom = (store: MemoryStore, id = 's'): Promise<unknown> =>
  new SessionRepository({ store, definition }).read(id).catch((error: HoldfastError) => error);

describe('a stored log', () => {
  it('reads back as it was written', async () => {
    const { appends } = await log();
    expect(appends.map(({ kind }) => kind)).toEqual(['snapshot', 'delta', 'delta', 'delta']);
    expect(await readFrom(await storeOf(appends))).toMatchObject({ n: 2 });
  });

  it('gives ERR_CORRUPT with session and revision for every flipped bit of every record', async () => {
    const { appends } = await log();
    for (const [index, append] of appends.entries()) {
      // Every byte of the small records, every 37th of the snapshot; a different bit each.
      for (let offset = 0; offset < append.bytes.length; offset += append.kind === 'snapshot' ? 37 : 1) {
        const bytes = new Uint8Array(append.bytes);
        bytes[offset] = (bytes[offset] as number) ^ (1 << (offset % 8));
        const damaged = appends.with(index, { ...append, bytes });
        expect(await readFrom(await storeOf(damaged)), `record ${index}, byte ${offset}`).toMatchObject({
          code: 'ERR_CORRUPT',
          session: 's',
          revision: index + 1,
        });
      }
    }
  });

  it('gives ERR_CORRUPT for records cut short, left out, swapped, doubled, or of another session', async () => {
    const { appends } = await log();
    const [first, second, third, fourth] = appends as [Append, Append, Append, Append];
    const cut = { ...third, bytes: third.bytes.subarray(0, third.bytes.length - 1) };
    const as = (record: Append, place: Append): Append => ({ ...place, bytes: record.bytes });
    const logs = [
      [first, second, cut, fourth],
      [first, second, as(fourth, third)],
      [first, as(third, second), as(second, third), fourth],
      [first, second, as(second, third), fourth],
      [as(second, first)],
    ];
    for (const records of logs)
      expect(await readFrom(await storeOf(records))).toMatchObject({ code: 'ERR_CORRUPT', session: 's' });
    expect(await readFrom(await storeOf(appends, 'other'), 'other')).toMatchObject({
      code: 'ERR_CORRUPT',
      session: 'other',
      revision: 1,
    });
  });

  it('is checked against its digest: a forged value with a right checksum is found', async () => {
    const { appends } = await log();
    const last = appends[3] as Append;
    let parent: LogRecord | undefined;
    for (const [index, { bytes }] of appends.slice(0, 3).entries())
      parent = decodeRecord('s', bytes, parent, index + 1, 1e6);
    const record = decodeRecord('s', last.bytes, parent, 4, 1e6);
    const forged = encodeRecord(
      's',
      { ...record, digest: { ...record.digest, low: (record.digest.low ^ 1) >>> 0 } },
      parent as LogRecord,
      'off',
    );
    expect(await readFrom(await storeOf(appends.with(3, { ...last, bytes: forged })))).toMatchObject({
      code: 'ERR_CORRUPT',
      session: 's',
      revision: 4,
    });
  });

  it('refuses a version that it does not know, and says which', async () => {
    const { appends } = await log();
    const bytes = new Uint8Array((appends[0] as Append).bytes);
    bytes[0] = 2 << 6;
    const error = (await readFrom(await storeOf([{ ...(appends[0] as Append), bytes }]))) as HoldfastError;
    expect(error).toMatchObject({ code: 'ERR_CORRUPT', session: 's' });
    expect(error.message).toContain('format version 2');
  });

  it('is refused over limitBytes, before it is built', async () => {
    const { store } = await log();
    const error = await new SessionRepository({ store, definition, limitBytes: 100 })
      .read('s')
      .catch((thrown: HoldfastError) => thrown);
    expect(error).toMatchObject({ code: 'ERR_LIMIT', session: 's' });
    expect((await store.read('s', { since: ORIGIN })).head?.position.revision).toBe(4);
  });
});
