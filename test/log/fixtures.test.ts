import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { decodeRecord } from '../../ts/log/record.ts';
import { ORIGIN } from '../../ts/position.ts';
import type { Position } from '../../ts/position.ts';
import { defineSession, mutable } from '../../ts/session/definition.ts';
import { SessionRepository } from '../../ts/session/repository.ts';
import { MemoryStore } from '../../ts/store/memory.ts';
import type { RecordKind } from '../../ts/store/store.ts';

/** What format version 1 wrote once must be readable for ever: this file of records is never made anew. */
const { id, records } = JSON.parse(readFileSync(new URL('../fixtures/v1/log.json', import.meta.url), 'utf8')) as {
  id: string;
  records: { kind: RecordKind; token: number; hex: string }[];
};

const TEXT = 'the quick brown fox jumps over the lazy dog '.repeat(8);
const first = {
  text: TEXT,
  list: [1, -2, 3.5, null, true, { a: 'b' }] as unknown[],
  map: new Map<unknown, unknown>([['k', 1], [2, { deep: [1] }]]),
  set: new Set(['x', 7]),
  at: new Date(Date.UTC(2026, 10, 23)),
  bytes: Buffer.from([0, 1, 254, 255]),
  big: 12345678901234567890n,
  zero: -0,
  none: undefined as undefined,
};
const second = { ...first, text: TEXT.replace('lazy', 'sleepy') };
const third = { ...second, text: second.text.replace('quick', 'slow').replace(/dog $/, 'cat'), list: [...first.list, { added: 'here' }], map: new Map([...first.map, ['k', 2]]) };
const { none: _none, ...rest } = third;
const fourth = { ...rest, zero: 0, extra: 'new', bytes: Buffer.alloc(600, 7) };
const fifth = { extra: 'first now', text: third.text, list: [1, -2], count: 1 };
const STATES: Record<string, unknown>[] = [first, second, third, fourth, fifth];

it.each([...STATES.entries()])('format version 1: revision %i reads as it was written', async (index, state) => {
  const store = new MemoryStore();
  let parent: Position = ORIGIN;
  for (const { kind, token, hex } of records.slice(0, index + 1)) {
    const bytes = Buffer.from(hex, 'hex');
    const record = decodeRecord(id, bytes, parent.revision + 1);
    const position = { revision: record.revision, nonce: record.nonce };
    await store.append(id, { parent, position, kind, bytes, token });
    parent = position;
  }
  for (const engine of ['js', undefined] as const) {
    const sessions = new SessionRepository({ store, definition: defineSession({}, { undeclared: mutable<unknown>() }), ...(engine && { engine }) });
    const found = (await sessions.read(id)) as Record<string, unknown>;
    expect(found).toStrictEqual(state);
    expect(Object.keys(found)).toEqual(Object.keys(state));
  }
});

it('format version 1: the last record is a tombstone', () => {
  const last = records.at(-1);
  expect(decodeRecord(id, Buffer.from(last?.hex ?? '', 'hex'), records.length)).toMatchObject({ kind: 'tombstone', revision: 6, body: Buffer.alloc(0) });
});
