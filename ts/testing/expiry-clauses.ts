import assert from 'node:assert/strict';
import { ORIGIN } from '../position.ts';
import {
  HOUR_MS,
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
  jump,
  member,
  record,
  refused,
  rejects,
  tokenOf,
  waits,
  whole,
} from './place.ts';
import type { Clauses } from './place.ts';

export const expiryClauses: Clauses = {
  'a session that goes on under another id may say when it began': async ({ one, pass }) => {
    const token = await begin(one, 's', 1, { expiry: { ageMs: 1000 } });
    await pass(600);
    const began = (await head(one))?.createdAt as number;
    appended(await one.append('t', record(1, token, { expiry: { ageMs: 1000 }, createdAt: began })));
    assert.equal((await head(one, 't'))?.createdAt, began);
    appended(await one.append('t', record(2, token, { createdAt: began + 99_000 }))); // the first alone says it
    assert.equal((await head(one, 't'))?.createdAt, began);
    await pass(600);
    assert.equal((await head(one, 't'))?.state, 'expired');
    await rejects(one.append('u', record(1, token, { createdAt: Number.NaN })), 'ERR_INVALID');
  },
  'a session that begins anew may say when it began, too': async ({ one, two, pass }) => {
    const createdAt = 1_700_000_000_000;
    await begin(one, 'told', 1, { expiry: { idleMs: 500 } });
    await begin(one, 'expired', 1, { expiry: { idleMs: 500 } });
    await begin(one, 'living', 1);
    await pass(600);
    for (const [id, begins] of [
      ['told', true],
      ['expired', undefined],
      ['living', true],
    ] as const) {
      appended(await one.append(id, record(2, await tokenOf(one, id), { kind: 'snapshot', createdAt, begins })));
      assert.deepEqual([(await head(two, id))?.createdAt, await whole(two, id)], [createdAt, ['r2']], id);
    }
  },
  'a session has expired as soon as nothing of its time is left': async ({ one, two, pass }) => {
    await begin(one, 'idle', 1, { expiry: { idleMs: 500 } });
    await begin(one, 'old', 1, { expiry: { ageMs: 500 } });
    await pass(500);
    for (const id of ['idle', 'old']) {
      const found = await head(two, id);
      assert.equal(found?.state, (found?.leftMs ?? 0) > 0 ? 'live' : 'expired', `${id} with ${found?.leftMs} ms left`);
    }
  },
  'a session expires when it was not used for so long': async ({ one, two, pass }) => {
    const token = await begin(one, 's', 1, { expiry: { idleMs: 1000, ageMs: 60_000 } });
    await pass(600);
    assertAbout((await head(two))?.leftMs ?? 0, 400);
    appended(await one.append('s', record(2, token)));
    assertAbout((await head(two))?.leftMs ?? 0, 1000);
    await pass(600);
    assert.equal((await head(two))?.state, 'live');
    await pass(500);
    const found = await head(two);
    assert.equal(found?.state, 'expired');
    assert((found?.leftMs ?? 1) <= 0);
  },
  'a session expires at its age, however much it is used': async ({ one, two, pass }) => {
    const token = await begin(one, 's', 1, { expiry: { ageMs: 1000, idleMs: 60_000 } });
    await pass(600);
    appended(await one.append('s', record(2, token)));
    assertAbout((await head(two))?.leftMs ?? 0, 400);
    await pass(500);
    assert.equal((await head(two))?.state, 'expired');
  },
  'an expired session keeps revision and token, and withholds its records': async ({ one, two, pass }) => {
    const token = await begin(one, 's', 2, { expiry: { idleMs: 500 } });
    await pass(600);
    for (const since of [ORIGIN, at(1), at(2)]) {
      const tail = await two.read('s', { since });
      assert.deepEqual([tail.whole, tail.records, tail.head?.position, tail.head?.token], [true, [], at(2), token]);
    }
    const { member: a } = await member(one);
    const grant = granted(await one.lock('s', asks(a, 1)));
    assert.deepEqual([grant.tail.head?.state, grant.tail.records], ['expired', []]);
    assert.deepEqual([await ids(one), (await one.inspect('s')).head?.state], [[], 'expired']);
  },
  'only a snapshot whose parent is its head begins it anew': async ({ one, two, pass }) => {
    const token = await begin(one, 's', 2, { expiry: { idleMs: 500 }, terms: ['old'] });
    await pass(600);
    const before = await head(two);
    for (const kind of ['delta', 'end'] as const) {
      const answer = refused(await two.append('s', record(3, token, { kind })), 'conflict');
      assert.deepEqual([answer.tail.head?.state, answer.tail.records, answer.tail.whole], ['expired', [], true]);
    }
    refused(await two.append('s', record(1, token, { position: at(1, 5) })), 'conflict');
    refused(await two.append('s', record(3, token, { kind: 'snapshot', parent: at(2, 5) })), 'conflict');
    appended(await two.append('s', record(3, token, { kind: 'snapshot', first: 1, bytes: bytesOf('anew') })));
    const found = await head(one);
    assert.deepEqual(
      [await whole(one), found?.first, found?.snapshot, found?.position, found?.expiry, found?.leftMs],
      [['anew'], 3, 3, at(3), {}, Infinity],
    );
    assert((found?.createdAt ?? 0) > (before?.createdAt ?? 0));
    assert.deepEqual([await ids(one, 'old'), await ids(one)], [[], ['s']]);
    assert.equal((await one.read('s', { since: at(2) })).whole, true);
  },
  'a session that begins anew takes the rule and terms of its append': async ({ one, two, pass }) => {
    const token = await begin(one, 's', 1, { expiry: { ageMs: 500 } });
    await pass(600);
    appended(await two.append('s', record(2, token, { kind: 'snapshot', expiry: { ageMs: 700 }, terms: ['new'] })));
    assertAbout((await head(one))?.leftMs ?? 0, 700);
    assert.deepEqual(await ids(one, 'new'), ['s']);
  },
  'a snapshot that begins a session does so where the parent still lives too': async ({ one, two }) => {
    const token = await begin(one, 's', 2, {
      expiry: { idleMs: HOUR_MS },
      terms: ['old'],
      createdAt: 1_700_000_000_000,
    });
    appended(
      await two.append(
        's',
        record(3, token, { kind: 'snapshot', begins: true, first: 1, bytes: bytesOf('anew'), terms: ['new'] }),
      ),
    );
    const found = await head(one);
    assert.deepEqual(
      [await whole(one), found?.first, found?.position, found?.expiry, found?.leftMs],
      [['anew'], 3, at(3), {}, Infinity],
    );
    assert((found?.createdAt ?? 0) > 1_700_000_000_000);
    assert.deepEqual([await ids(one, 'old'), await ids(one, 'new')], [[], ['s']]);
    assert.equal((await one.read('s', { since: at(2) })).whole, true);
    appended(await two.append('s', record(4, token, { kind: 'end' })));
    refused(await two.append('s', record(5, await tokenOf(two, 's'), { kind: 'snapshot', begins: true })), 'conflict');
    for (const kind of ['delta', 'end'] as const)
      await rejects(two.append('s', record(5, token, { kind, begins: true })), 'ERR_INVALID');
  },
  'a snapshot that begins a session needs its head and its token all the same': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    await begin(one, 'living', 2);
    await begin(one, 'expired', 2, { expiry: { idleMs: 500 } });
    await pass(600);
    const anew = { kind: 'snapshot', begins: true } as const;
    for (const id of ['living', 'expired']) {
      const { token } = granted(await one.lock(id, asks(a, 1)));
      for (const parent of [at(2, 5), at(1), at(3)]) {
        const { revision } = parent;
        refused(
          await two.append(id, record(revision + 1, token, { ...anew, parent, position: at(revision + 1, 6) })),
          'conflict',
        );
      }
      refused(await two.append(id, record(1, token, { ...anew, position: at(1, 6) })), 'conflict');
      refused(await two.append(id, record(3, token - 1, anew)), 'fenced');
      assert.deepEqual((await head(two, id))?.position, at(2), id);
      appended(await two.append(id, record(3, token, anew)));
    }
  },
  'a snapshot alone begins nothing anew in what lives': async ({ one, two, pass }) => {
    const token = await begin(one, 's', 1, { expiry: { ageMs: HOUR_MS }, terms: ['kept'] });
    const before = await head(one);
    await pass(100);
    for (const [revision, more] of [
      [2, {}],
      [3, { begins: false }],
      [4, { createdAt: 1_700_000_000_000 }],
    ] as const) {
      appended(await two.append('s', record(revision, token, { kind: 'snapshot', first: 1, ...more })));
      const after = await head(one);
      assert.deepEqual(
        [after?.createdAt, after?.expiry, after?.first, await ids(one, 'kept')],
        [before?.createdAt, { ageMs: HOUR_MS }, 1, ['s']],
      );
    }
  },
  'a snapshot of a session that goes on begins nothing anew': async ({ one, two, pass }) => {
    const token = await begin(one, 's', 1, { expiry: { ageMs: 500 }, terms: ['old'] });
    const before = await head(one);
    appended(await two.append('s', record(2, token, { kind: 'snapshot', begins: false })));
    const after = await head(one);
    assert.deepEqual(
      [after?.createdAt, after?.expiry, await ids(one, 'old')],
      [before?.createdAt, { ageMs: 500 }, ['s']],
    );
    await pass(600);
    const answer = refused(await two.append('s', record(3, token, { kind: 'snapshot', begins: false })), 'conflict');
    assert.deepEqual([answer.tail.head?.state, answer.tail.records], ['expired', []]);
    assert.equal((await head(one))?.position.revision, 2);
    await rejects(two.append('t', record(1, token, { begins: false })), 'ERR_INVALID');
  },
  'what was offered again has succeeded in an expired session too': async ({ one, pass }) => {
    const token = await begin(one, 's', 1, { expiry: { idleMs: 500 } });
    await pass(600);
    appended(await one.append('s', record(1, token, { expiry: { idleMs: 500 } })));
    assert.equal((await head(one))?.state, 'expired');
  },
  'an ended session expires too, and may then begin anew': async ({ one, pass }) => {
    const token = await begin(one, 's', 1);
    appended(await one.append('s', record(2, token, { kind: 'end', expiry: { idleMs: 500 } })));
    await pass(600);
    assert.equal((await head(one))?.state, 'expired');
    appended(await one.append('s', record(3, await tokenOf(one, 's'), { kind: 'snapshot' })));
    assert.deepEqual([await whole(one), (await head(one))?.state], [['r3'], 'live']);
  },
  'an end is a use': async ({ one, pass }) => {
    const token = await begin(one, 's', 1, { expiry: { idleMs: 1000 } });
    await pass(600);
    appended(await one.append('s', record(2, token, { kind: 'end' })));
    assertAbout((await head(one))?.leftMs ?? 0, 1000);
  },
  'a lock outlives the expiry of its session': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const { token } = granted(await one.lock('s', asks(a, 1, { leaseMs: 10 * LEASE_MS })));
    appended(await one.append('s', record(1, token, { expiry: { idleMs: 500 } })));
    await pass(600);
    waits(await two.lock('s', asks(b, 1)));
    appended(await one.append('s', record(2, token, { kind: 'snapshot', lock: 'release' })));
    granted(await two.lock('s', asks(b, 1)));
  },
  'a wall clock that jumps expires nothing, nor costs more than a lease': async (place) => {
    const { one, two, pass } = place;
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const token = await begin(one, 's', 1, { expiry: { idleMs: HOUR_MS, ageMs: 10 * HOUR_MS } });
    const grant = granted(await one.lock('s', asks(a, 1)));
    for (const ms of [2 * HOUR_MS, -4 * HOUR_MS, 2 * HOUR_MS]) {
      await jump(place, ms);
      assert.equal((await head(two))?.state, 'live');
      waits(await two.lock('s', asks(b, 1)));
      assert.equal((await two.inspect('s')).lock.holder?.member, a);
      assert.equal((await one.touch('s', { token: grant.token, renew: true })).touched, true);
    }
    assert(grant.token > token);
    await pass(LEASE_MS / 2);
    waits(await two.lock('s', asks(b, 1)));
    await pass(LEASE_MS / 2 + 300);
    granted(await two.lock('s', asks(b, 1)));
  },
  'a session expires by the monotonic clock while the wall clock is wrong': async (place) => {
    const { one, pass } = place;
    await begin(one, 's', 1, { expiry: { idleMs: HOUR_MS } });
    await jump(place, 2 * HOUR_MS);
    await pass(HOUR_MS / 2);
    assert.equal((await head(one))?.state, 'live');
    await pass(HOUR_MS / 2 + 10);
    assert.equal((await head(one))?.state, 'expired');
  },
  'a use while the wall clock is wrong is not taken for an old one': async (place) => {
    const { one, pass } = place;
    const token = await begin(one, 's', 1, { expiry: { idleMs: HOUR_MS } });
    await jump(place, -2 * HOUR_MS);
    appended(await one.append('s', record(2, token)));
    await jump(place, 2 * HOUR_MS);
    await pass(120_000);
    assert.equal((await head(one))?.state, 'live');
  },
};
