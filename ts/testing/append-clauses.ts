import assert from 'node:assert/strict';
import { ORIGIN } from '../position.ts';
import type { Position } from '../position.ts';
import type { Append, Hint, Store } from '../store/store.ts';
import {
  LEASE_MS,
  appended,
  asks,
  assertAbout,
  at,
  begin,
  bytesOf,
  granted,
  head,
  ids,
  member,
  record,
  refused,
  rejects,
  texts,
  tokenOf,
  until,
  waits,
  wants,
  whole,
} from './place.ts';
import type { Clauses } from './place.ts';

// docs/protocol.md: Appends
export const appendClauses: Clauses = {
  'only the head is appended to; others get what they lack': async ({ one, two }) => {
    const token = await begin(one, 's', 3);
    const behind = refused(await two.append('s', record(2, token, { position: at(2, 99) })), 'conflict');
    assert.deepEqual(
      [behind.tail.whole, texts(behind.tail.records), behind.tail.head?.position, behind.token],
      [false, ['r2', 'r3'], at(3), token],
    );
    const stranger = refused(
      await two.append('s', record(2, token, { parent: at(1, 5), position: at(2, 99) })),
      'conflict',
    );
    assert.deepEqual([stranger.tail.whole, texts(stranger.tail.records)], [true, ['r1', 'r2', 'r3']]);
    const near = refused(await two.append('s', record(3, token, { position: at(3, 99) })), 'conflict');
    assert.deepEqual([near.tail.whole, texts(near.tail.records)], [false, ['r3']]);
    refused(await two.append('s', record(4, token, { parent: at(3, 99) })), 'conflict');
    refused(await two.append('s', record(5, token)), 'conflict');
    assert.deepEqual(refused(await two.append('t', record(2, token)), 'conflict').tail, {
      head: undefined,
      records: [],
      whole: true,
    });
    assert.deepEqual([await whole(one), await head(one, 't')], [['r1', 'r2', 'r3'], undefined]);
  },
  'exactly one of two rivals appends': async ({ one, two }) => {
    const token = await begin(one, 's', 1);
    for (let revision = 2; revision < 20; revision += 1) {
      const parent = (await head(one))?.position as Position;
      const rival = async (store: Store, nonce: number): Promise<boolean> =>
        (await store.append('s', record(revision, token, { parent, position: at(revision, nonce) }))).appended;
      assert.deepEqual((await Promise.all([rival(one, 1), rival(two, 2)])).toSorted(), [false, true]);
    }
    assert.equal((await whole(two)).length, 19);
  },
  'what is offered again has succeeded, however many came after it': async ({ one, two }) => {
    const token = await begin(one, 's', 4);
    for (const revision of [1, 2, 4])
      assert.equal(appended(await two.append('s', record(revision, token))).token, token);
    assert.deepEqual(await whole(one), ['r1', 'r2', 'r3', 'r4']);
    refused(await two.append('s', record(3, token, { position: at(3, 5) })), 'conflict');
  },
  'what is offered again has succeeded before its token is looked at': async ({ one, two }) => {
    const token = await begin(one, 's', 2);
    const { member: b } = await member(two);
    const grant = granted(await two.lock('s', asks(b, 1)));
    assert.equal(appended(await one.append('s', record(2, token))).token, grant.token);
    appended(await two.append('s', record(3, grant.token)));
    assert.equal(appended(await one.append('s', record(2, token))).token, grant.token);
    const { epoch } = await two.promote(0);
    assert.equal(appended(await one.append('s', record(3, grant.token))).token, epoch * 2 ** 32);
    assert.deepEqual(await whole(one), ['r1', 'r2', 'r3']);
  },
  'what is offered again changes nothing more': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    appended(await one.append('s', record(1, token)));
    await pass(LEASE_MS / 2);
    appended(await two.append('s', record(1, token)));
    assertAbout((await one.inspect('s')).lock.holder?.leaseLeftMs ?? 0, LEASE_MS / 2);
    appended(await two.append('s', record(1, token, { lock: 'release', terms: ['late'], expiry: { idleMs: 5 } })));
    assert.deepEqual(
      [(await one.inspect('s')).lock.holder?.member, (await head(one))?.expiry, await ids(one, 'late')],
      [a, {}, []],
    );
  },
  'an end that is offered again has succeeded': async ({ one, two }) => {
    const token = await begin(one, 's', 1);
    appended(await one.append('s', record(2, token, { kind: 'end' })));
    appended(await two.append('s', record(2, token, { kind: 'end' })));
  },
  'what was compacted out of sight is refused, and the head shows why': async ({ one, two }) => {
    const token = await begin(one, 's', 2);
    appended(await one.append('s', record(3, token, { kind: 'snapshot' })));
    const answer = refused(await two.append('s', record(2, token)), 'conflict');
    assert((answer.tail.head?.first ?? 0) > 2);
  },
  'an outdated token is fenced, with what its holder lacks': async ({ one, two }) => {
    const token = await begin(one, 's', 2);
    const { member: b } = await member(two);
    const grant = granted(await two.lock('s', asks(b, 1)));
    const answer = refused(await one.append('s', record(2, token, { position: at(2, 5) })), 'fenced');
    assert.deepEqual(
      [answer.token, answer.tail.head?.token, answer.tail.whole, texts(answer.tail.records)],
      [grant.token, grant.token, false, ['r2']],
    );
    assert.deepEqual(
      texts(
        refused(await one.append('s', record(3, token, { parent: at(2, 5), position: at(3, 6) })), 'fenced').tail
          .records,
      ),
      ['r1', 'r2'],
    );
    refused(await one.append('s', record(3, token)), 'fenced');
    assert.deepEqual(await whole(two), ['r1', 'r2']);
  },
  'an outdated token is fenced where nothing is written yet': async ({ one, two }) => {
    const { member: b } = await member(two);
    const grant = granted(await two.lock('s', asks(b, 1)));
    assert.equal(refused(await one.append('s', record(1, grant.token - 1)), 'fenced').token, grant.token);
    assert.equal(await tokenOf(one, 's'), grant.token);
    appended(await two.append('s', record(1, grant.token)));
  },
  "a feed under a higher token raises the session's, and ends the lock": async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const grant = granted(await one.lock('s', asks(a, 1)));
    appended(await one.append('s', record(1, grant.token)));
    waits(await two.lock('s', asks(b, 1)));
    assert.equal(appended(await two.append('s', record(2, grant.token + 7))).token, grant.token + 7);
    assert.equal((await head(one))?.token, grant.token + 7);
    refused(await one.append('s', record(3, grant.token)), 'fenced');
    const { lock } = await one.inspect('s');
    assert.deepEqual([lock.holder, lock.queue.map((place) => place.member)], [undefined, [b]]);
    appended(await two.append('s', record(3, grant.token + 7)));
    granted(await two.lock('s', asks(b, 1)));
  },
  'calls that no store could carry out are named as faults': async ({ one }) => {
    const token = await begin(one, 's', 1);
    const bad: Partial<Append>[] = [
      { position: at(4) },
      { position: at(1, 3) },
      { expiry: { idleMs: 0 } },
      { expiry: { ageMs: Number.NaN } },
      { expiry: { idleMs: -1 } },
      { terms: [''] },
      { terms: ['x'.repeat(65)] },
      { terms: ['ä'.repeat(33)] },
      { under: -1 },
      { under: 2 ** 52 },
      { under: 2 ** 52 - 1 },
      { under: 0.5 },
      { under: wants('', 1) },
      { under: wants('m', -1) },
      { under: wants('m', 1, { leaseMs: 0 }) },
      { first: -1 },
    ];
    for (const more of bad) await rejects(one.append('s', record(2, token, more)), 'ERR_INVALID');
    await rejects(one.append('t', record(1, 0, { kind: 'delta' })), 'ERR_INVALID');
    await rejects(one.append('t', record(1, 0, { kind: 'end' })), 'ERR_INVALID');
    for (const id of ['', 'x'.repeat(256), 'ä'.repeat(128), 'a\0b', 'a\ud800'])
      await rejects(one.append(id, record(1, 0)), 'ERR_INVALID');
    assert.deepEqual([await whole(one), await head(one, 't')], [['r1'], undefined]);
  },
  'the rule of expiry stays until another is given': async ({ one, two }) => {
    const token = await begin(one, 's', 1, { expiry: { idleMs: 5000 } });
    appended(await one.append('s', record(2, token)));
    assert.deepEqual((await head(two))?.expiry, { idleMs: 5000 });
    appended(await one.append('s', record(3, token, { expiry: { ageMs: 9000 } })));
    assert.deepEqual((await head(two))?.expiry, { ageMs: 9000 });
    appended(await one.append('s', record(4, token, { expiry: { idleMs: undefined } })));
    assert.deepEqual([(await head(two))?.expiry, (await head(two))?.leftMs], [{}, Infinity]);
    appended(await one.append('s', record(5, token, { expiry: { idleMs: 60_000, ageMs: 90_000 } })));
    for (const [revision, kind] of [
      [6, 'snapshot'],
      [7, 'end'],
    ] as const) {
      appended(await one.append('s', record(revision, token, { kind })));
      assert.deepEqual((await head(two))?.expiry, { idleMs: 60_000, ageMs: 90_000 }, kind);
    }
  },
  'terms stay until others are given': async ({ one, two }) => {
    const token = await begin(one, 's', 1, { terms: ['red', 'blue'] });
    appended(await one.append('s', record(2, token)));
    assert.deepEqual([await ids(two, 'red'), await ids(two, 'blue'), await ids(two, 'green')], [['s'], ['s'], []]);
    appended(await one.append('s', record(3, token, { terms: ['blue', 'x'.repeat(64)] })));
    assert.deepEqual(
      [await ids(two, 'red'), await ids(two, 'blue'), await ids(two, 'x'.repeat(64))],
      [[], ['s'], ['s']],
    );
    appended(await one.append('s', record(4, token, { terms: [] })));
    assert.deepEqual([await ids(two, 'blue'), await ids(two)], [[], ['s']]);
    appended(await one.append('s', record(5, token, { terms: ['green'] })));
    for (const [revision, kind] of [
      [6, 'snapshot'],
      [7, 'end'],
    ] as const) {
      appended(await one.append('s', record(revision, token, { kind })));
      assert.deepEqual((await two.read('s', { since: ORIGIN })).terms, ['green'], kind);
    }
  },
  'an append renews the lease of its writer, unless it is told to leave it': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    await pass(LEASE_MS / 2);
    appended(await one.append('s', record(1, token, { lock: 'leave' })));
    assertAbout((await two.inspect('s')).lock.holder?.leaseLeftMs ?? 0, LEASE_MS / 2);
    appended(await one.append('s', record(2, token)));
    assertAbout((await two.inspect('s')).lock.holder?.leaseLeftMs ?? 0, LEASE_MS);
    await pass(LEASE_MS / 2);
    appended(await one.append('s', record(3, token, { lock: 'renew' })));
    assertAbout((await two.inspect('s')).lock.holder?.leaseLeftMs ?? 0, LEASE_MS);
    await pass(LEASE_MS / 4);
    appended(await one.append('s', record(4, token, { lock: 'leave' })));
    assertAbout((await two.inspect('s')).lock.holder?.leaseLeftMs ?? 0, LEASE_MS * 0.75);
  },
  'an append gives the lock to the next when it is told to': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    waits(await two.lock('s', asks(b, 1)));
    assert.equal(appended(await one.append('s', record(1, token, { lock: 'release' }))).token, token);
    const next = granted(await two.lock('s', asks(b, 1)));
    assert(next.token > token);
    refused(await one.append('s', record(2, token)), 'fenced');
    appended(await two.append('s', record(2, next.token, { lock: 'release' })));
    assert((await tokenOf(one, 's')) > next.token);
    assert.equal((await one.inspect('s')).lock.holder, undefined);
  },
  'an append gives up no lock where nobody has one': async ({ one, two }) => {
    const token = await begin(one, 's', 1);
    appended(await one.append('s', record(2, token, { lock: 'release' })));
    assert.equal(await tokenOf(two, 's'), token);
    appended(await one.append('s', record(3, token)));
  },
  'a refused append changes nothing, not even the lock': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    appended(await one.append('s', record(1, token, { expiry: { idleMs: 60_000 }, terms: ['t'] })));
    await pass(LEASE_MS / 2);
    for (const lock of ['renew', 'release'] as const) {
      const more = { lock, expiry: { idleMs: 90_000 }, terms: ['u'], first: 1, kind: 'end' } as const;
      refused(await one.append('s', record(2, token, { ...more, parent: at(1, 5) })), 'conflict');
      refused(await two.append('s', record(2, token - 1, more)), 'fenced');
    }
    const { head: found, lock } = await two.inspect('s');
    assert.deepEqual(
      [found?.token, found?.state, found?.expiry, lock.holder?.member, await ids(two, 't')],
      [token, 'live', { idleMs: 60_000 }, a, ['s']],
    );
    assertAbout(found?.leftMs ?? 0, 60_000 - LEASE_MS / 2);
    assertAbout(lock.holder?.leaseLeftMs ?? 0, LEASE_MS / 2);
  },
  'an end frees the lock for those who wait': async (place) => {
    const { one, two } = place;
    const hints: Hint[] = [];
    const { member: a } = await member(one);
    const { member: b } = await member(two, hints);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    appended(await one.append('s', record(1, token)));
    waits(await two.lock('s', asks(b, 1)));
    appended(await one.append('s', record(2, token, { kind: 'end' })));
    await until(place, () => hints.some(({ kind }) => kind === 'grant'));
    const next = granted(await two.lock('s', asks(b, 1)));
    assert.equal(next.tail.head?.state, 'ended');
    await two.unlock('s', { token: next.token });
    assert.equal((await one.inspect('s')).lock.holder, undefined);
  },
  'a store writes as durably as it says, and refuses what it cannot': async ({ one }) => {
    const token = await begin(one, 's', 1);
    const levels = ['primary', 'fsync', 'replicas'] as const;
    assert(one.can.durability.length > 0);
    for (const level of levels) {
      const durability = level === 'replicas' ? { replicas: 1 } : level;
      if (!one.can.durability.includes(level))
        await rejects(one.append('s', record(2, token, { durability })), 'ERR_INVALID');
    }
    const [first] = one.can.durability;
    appended(
      await one.append(
        's',
        record(2, token, { durability: first === 'replicas' ? { replicas: 1 } : (first as 'primary') }),
      ),
    );
  },
  'nothing rests on a version': async ({ one, two }) => {
    const token = await begin(one, 's', 1);
    const { version } = await one.read('s', { since: ORIGIN });
    appended(await two.append('s', record(2, token, { version: 'nonsense' })));
    appended(await two.append('s', record(3, token, { version })));
    refused(await two.append('s', record(3, token, { version, position: at(3, 5) })), 'conflict');
  },
  'bytes are kept as they are': async ({ one, two }) => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    await begin(one, 's', 1, { bytes });
    assert.deepEqual(new Uint8Array((await two.read('s', { since: ORIGIN })).records[0] ?? []), bytes);
    await begin(one, 'empty', 1, { bytes: bytesOf('') });
    assert.deepEqual(await whole(two, 'empty'), ['']);
  },
};
