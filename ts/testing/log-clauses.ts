import assert from 'node:assert/strict';
import { ORIGIN } from '../position.ts';
import type { Position } from '../position.ts';
import {
  appended,
  asks,
  at,
  begin,
  bytesOf,
  granted,
  head,
  member,
  record,
  refused,
  texts,
  tokenOf,
  whole,
} from './place.ts';
import type { Clauses } from './place.ts';

export const logClauses: Clauses = {
  'a reader of the history gets what is kept before the latest snapshot, too': async ({ one, two }) => {
    const token = await begin(one, 's', 3);
    appended(await one.append('s', record(4, token, { kind: 'snapshot', first: 2 })));
    appended(await one.append('s', record(5, token)));
    const history = await two.read('s', { since: ORIGIN, kept: true });
    assert.deepEqual(
      [history.whole, history.head?.first, history.head?.snapshot, texts(history.records)],
      [true, 2, 4, ['r2', 'r3', 'r4', 'r5']],
    );
    assert.deepEqual(texts((await two.read('s', { since: ORIGIN, kept: false })).records), ['r4', 'r5']);
    assert.deepEqual(texts((await two.read('s', { since: at(4), kept: true })).records), ['r5']);
    const cut = await two.read('s', { since: ORIGIN, kept: true, limitBytes: 4 });
    assert.deepEqual([texts(cut.records), cut.next], [['r2', 'r3'], at(3)]);
    assert.deepEqual(texts((await two.read('s', { since: cut.next as Position, kept: true })).records), ['r4', 'r5']);
    const { member: b } = await member(two);
    assert.deepEqual(texts(granted(await two.lock('s', asks(b, 1, { kept: true }))).tail.records), [
      'r2',
      'r3',
      'r4',
      'r5',
    ]);
  },
  'nothing is there before something was written': async ({ one }) => {
    assert.deepEqual(await one.read('s', { since: ORIGIN }), { head: undefined, records: [], whole: true });
    assert.equal((await one.read('s', { since: at(3) })).whole, true);
  },
  'a reader gets what it lacks, in order, and no more': async ({ one, two }) => {
    await begin(one, 's', 3);
    const all = await two.read('s', { since: ORIGIN });
    assert.deepEqual([all.whole, texts(all.records), all.next], [true, ['r1', 'r2', 'r3'], undefined]);
    const rest = await two.read('s', { since: at(1) });
    assert.deepEqual([rest.whole, texts(rest.records)], [false, ['r2', 'r3']]);
    const none = await two.read('s', { since: at(3) });
    assert.deepEqual([none.whole, texts(none.records)], [false, []]);
  },
  'the head says what is there': async ({ one, two }) => {
    const token = await begin(one, 's', 3, { expiry: { idleMs: 50_000, ageMs: 90_000 } });
    const found = await head(two);
    const { createdAt, leftMs, ...rest } = found as NonNullable<typeof found>;
    assert.deepEqual(rest, {
      state: 'live',
      position: at(3),
      token,
      first: 1,
      snapshot: 1,
      snapshotBytes: 2,
      deltaBytes: 4,
      expiry: { idleMs: 50_000, ageMs: 90_000 },
    });
    assert(createdAt > 1_500_000_000_000 && leftMs > 45_000 && leftMs <= 50_000);
  },
  'a reader on another branch, or ahead, gets the whole from the latest snapshot': async ({ one, two }) => {
    const token = await begin(one, 's', 3);
    appended(await one.append('s', record(4, token, { kind: 'snapshot', first: 1 })));
    appended(await one.append('s', record(5, token)));
    for (const since of [at(2, 1), at(6), at(5, 1), at(4, 5)]) {
      const tail = await two.read('s', { since });
      assert.deepEqual([tail.whole, texts(tail.records)], [true, ['r4', 'r5']]);
    }
    assert.deepEqual(texts((await two.read('s', { since: at(2) })).records), ['r3', 'r4', 'r5']);
  },
  'a snapshot drops what is before it': async ({ one, two }) => {
    const token = await begin(one, 's', 2);
    appended(await one.append('s', record(3, token, { kind: 'snapshot', bytes: bytesOf('SNAP') })));
    appended(await one.append('s', record(4, token)));
    assert.equal((await two.read('s', { since: at(1) })).whole, true);
    assert.deepEqual(await whole(two), ['SNAP', 'r4']);
    assert.deepEqual(texts((await two.read('s', { since: at(3) })).records), ['r4']);
    const found = await head(two);
    assert.deepEqual([found?.first, found?.snapshot, found?.snapshotBytes, found?.deltaBytes], [3, 3, 4, 2]);
  },
  'records before the snapshot stay as far as `first` says, and never fewer than from the snapshot': async ({
    one,
    two,
  }) => {
    const token = await begin(one, 's', 4);
    appended(await one.append('s', record(5, token, { kind: 'snapshot', first: 2 })));
    assert.deepEqual([(await head(two))?.first, (await head(two))?.snapshot], [2, 5]);
    assert.deepEqual(texts((await two.read('s', { since: at(2) })).records), ['r3', 'r4', 'r5']);
    assert.equal((await two.read('s', { since: at(1) })).whole, true);
    appended(await one.append('s', record(6, token, { first: 4 })));
    assert.deepEqual([(await head(two))?.first, (await two.read('s', { since: at(3) })).whole], [4, true]);
    appended(await one.append('s', record(7, token)));
    assert.equal((await head(two))?.first, 4);
    appended(await one.append('s', record(8, token, { first: 8 })));
    assert.deepEqual([(await head(two))?.first, await whole(two)], [5, ['r5', 'r6', 'r7', 'r8']]);
  },
  'a bounded read gives whole records up to its limit, at least one, and goes on from there': async ({ one, two }) => {
    await begin(one, 's', 5);
    const none = await two.read('s', { since: ORIGIN, limitBytes: 0 });
    assert.deepEqual([none.records.length, none.head?.position, none.whole, none.next], [0, at(5), true, undefined]);
    assert.equal((await two.read('s', { since: at(2), limitBytes: 0 })).whole, false);
    const first = await two.read('s', { since: ORIGIN, limitBytes: 1 });
    assert.deepEqual([texts(first.records), first.next, first.whole], [['r1'], at(1), true]);
    const two2 = await two.read('s', { since: at(1), limitBytes: 5 });
    assert.deepEqual([texts(two2.records), two2.next, two2.whole], [['r2', 'r3'], at(3), false]);
    const last = await two.read('s', { since: at(3), limitBytes: 4 });
    assert.deepEqual([texts(last.records), last.next], [['r4', 'r5'], undefined]);
  },
  'a bounded read that was compacted meanwhile starts over': async ({ one, two }) => {
    const token = await begin(one, 's', 3);
    const { next } = await two.read('s', { since: ORIGIN, limitBytes: 2 });
    appended(await one.append('s', record(4, token, { kind: 'snapshot' })));
    const tail = await two.read('s', { since: next ?? ORIGIN });
    assert.deepEqual([tail.whole, texts(tail.records)], [true, ['r4']]);
  },
  'sessions are apart, whatever their ids': async ({ one, two }) => {
    const names = [
      'a',
      'a/b',
      'ab',
      'a b',
      'ä',
      '😀',
      'x'.repeat(255),
      '1',
      '01',
      'true',
      '__proto__',
      '}',
      '{a}',
      'line\nbreak',
      'marks',
    ];
    for (const id of names) appended(await one.append(id, record(1, 0, { bytes: bytesOf(`of ${id}`) })));
    for (const id of names) assert.deepEqual(await whole(two, id), [`of ${id}`]);
  },
  'the store keeps its own copy of the bytes, large ones too': async ({ one, two }) => {
    const large = Buffer.alloc(3_000_000, 7);
    await begin(one, 's', 1, { bytes: large });
    large.fill(9);
    const [first] = (await two.read('s', { since: ORIGIN })).records;
    assert.equal(Buffer.compare(first as Uint8Array, Buffer.alloc(3_000_000, 7)), 0);
    const bytes = Buffer.from('image');
    appended(
      await one.replace(
        't',
        { records: [{ position: at(1), kind: 'snapshot', bytes }], createdAt: 1, expiry: {}, token: 0 },
        undefined,
      ),
    );
    bytes.fill(9);
    assert.deepEqual(await whole(two, 't'), ['image']);
  },
  'an end is the last of an id': async ({ one, two }) => {
    const token = await begin(one, 's', 2);
    appended(
      await one.append('s', record(3, token, { kind: 'end', bytes: bytesOf('END'), expiry: { idleMs: 60_000 } })),
    );
    const found = await head(two);
    assert.deepEqual(
      [found?.state, found?.first, found?.snapshot, found?.snapshotBytes, found?.deltaBytes],
      ['ended', 3, 3, 3, 0],
    );
    const tail = await two.read('s', { since: at(1) });
    assert.deepEqual([tail.whole, texts(tail.records)], [true, ['END']]);
    for (const kind of ['delta', 'snapshot', 'end'] as const) {
      const answer = refused(await two.append('s', record(4, found?.token ?? 0, { kind })), 'conflict');
      assert.equal(answer.tail.head?.state, 'ended');
    }
  },
  'an end outdates every token that was given before': async ({ one, two }) => {
    const token = await begin(one, 's', 1);
    appended(await one.append('s', record(2, token, { kind: 'end' })));
    assert((await tokenOf(two, 's')) > token);
    refused(await two.append('s', record(3, token, { kind: 'snapshot' })), 'fenced');
  },
  'an end keeps older records where `first` says so': async ({ one, two }) => {
    const token = await begin(one, 's', 2);
    appended(await one.append('s', record(3, token, { kind: 'end', first: 1 })));
    assert.deepEqual(texts((await two.read('s', { since: at(1) })).records), ['r2', 'r3']);
    assert.deepEqual(await whole(two), ['r3']);
  },
};
