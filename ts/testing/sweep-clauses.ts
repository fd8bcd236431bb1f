import assert from 'node:assert/strict';
import {
  HOUR_MS,
  LEASE_MS,
  appended,
  asks,
  begin,
  granted,
  head,
  jump,
  member,
  record,
  refused,
  rejects,
  sweepAll,
  tokenOf,
  waits,
  whole,
} from './place.ts';
import type { Clauses } from './place.ts';

const GRACE_MS = 5000;

// docs/protocol.md: Expiry, Tokens
export const sweepClauses: Clauses = {
  'what has expired goes after two looks, nothing else does': async ({ one, two, pass }) => {
    for (const id of ['a', 'b', 'c', 'd', 'e']) await begin(one, id, 2, { expiry: { idleMs: 500 } });
    await begin(one, 'kept', 1);
    await begin(one, 'later', 1, { expiry: { idleMs: HOUR_MS } });
    assert.equal(await sweepAll(two, GRACE_MS), 0);
    await pass(600);
    assert.equal(await sweepAll(two, GRACE_MS), 0, 'the first look');
    assert.equal((await head(one, 'a'))?.state, 'expired');
    await pass(GRACE_MS - 1000);
    assert.equal(await sweepAll(two, GRACE_MS), 0, 'too early');
    await pass(1100);
    assert.equal(await sweepAll(two, GRACE_MS), 5);
    assert.deepEqual(await one.read('a', { since: { revision: 1, nonce: 1007 } }), {
      head: undefined,
      records: [],
      whole: true,
    });
    assert.deepEqual([(await head(one, 'kept'))?.state, (await head(one, 'later'))?.state], ['live', 'live']);
    assert.equal(await sweepAll(two, GRACE_MS), 0);
  },
  'a sweep goes page by page': async ({ one, pass }) => {
    for (const id of ['a', 'b', 'c']) await begin(one, id, 1, { expiry: { idleMs: 500 } });
    await pass(600);
    const first = await one.sweep({ limit: 2, graceMs: 0 });
    assert(first.cursor !== undefined);
    await one.sweep({ limit: 2, graceMs: 0, cursor: first.cursor });
    assert.equal((await one.sweep({ limit: 2, graceMs: 0 })).swept, 2);
    for (const bad of [
      { limit: 0, graceMs: 1 },
      { limit: 1, graceMs: -1 },
      { limit: 0.5, graceMs: 1 },
    ])
      await rejects(one.sweep(bad), 'ERR_INVALID');
  },
  'a session that began anew is looked at twice again': async ({ one, pass }) => {
    const token = await begin(one, 's', 1, { expiry: { idleMs: 500 } });
    await pass(600);
    await sweepAll(one, GRACE_MS);
    appended(await one.append('s', record(2, token, { kind: 'snapshot', expiry: { idleMs: 500 } })));
    await pass(GRACE_MS + 100);
    assert.equal(await sweepAll(one, GRACE_MS), 0);
    await pass(GRACE_MS + 100);
    assert.equal(await sweepAll(one, GRACE_MS), 1);
  },
  'an ended session goes when it has expired': async ({ one, pass }) => {
    const token = await begin(one, 's', 1);
    appended(await one.append('s', record(2, token, { kind: 'end', expiry: { idleMs: 500 } })));
    await begin(one, 'forever', 1);
    appended(await one.append('forever', record(2, token, { kind: 'end' })));
    await sweepAll(one, 0);
    await pass(600);
    await sweepAll(one, GRACE_MS);
    await pass(GRACE_MS + 100);
    assert.equal(await sweepAll(one, GRACE_MS), 1);
    assert.deepEqual([await head(one), (await head(one, 'forever'))?.state], [undefined, 'ended']);
  },
  'what only held a lock goes when nobody has or awaits it': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const grant = granted(await one.lock('s', asks(a, 1)));
    await sweepAll(two, 0);
    assert.equal(await sweepAll(two, 0), 0, 'held');
    await pass(LEASE_MS - 100);
    waits(await two.lock('s', asks(b, 1)));
    await pass(150);
    await sweepAll(two, 0);
    assert.equal(await sweepAll(two, 0), 0, 'awaited');
    await pass(LEASE_MS);
    await sweepAll(two, GRACE_MS);
    assert.equal((await one.inspect('s')).lock.holder?.member, a);
    await pass(GRACE_MS + 100);
    assert.equal(await sweepAll(two, GRACE_MS), 1);
    assert.equal((await one.inspect('s')).lock.holder, undefined);
    assert((await tokenOf(one, 's')) >= grant.token);
  },
  'a lock that is used is looked at twice again': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const uses = {
      locked: () => one.lock('locked', asks(a, 2)),
      renewed: (token: number) => one.touch('renewed', { token, renew: true }),
      unlocked: (token: number) => one.unlock('unlocked', { token }),
      left: () => one.unlock('left', { member: a, ticket: 1 }),
    };
    const grants = await Promise.all(Object.keys(uses).map((id) => one.lock(id, asks(a, 1)).then(granted)));
    await pass(LEASE_MS + 10);
    assert.equal(await sweepAll(two, GRACE_MS), 0, 'the first look');
    for (const [index, use] of Object.values(uses).entries()) await use(grants[index]?.token ?? 0);
    await pass(GRACE_MS + 100);
    assert.equal(await sweepAll(two, GRACE_MS), 0, 'the first look after the use');
    await pass(GRACE_MS + 100);
    assert.equal(await sweepAll(two, GRACE_MS), 4);
  },
  'what changes nothing is no use': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const token = await begin(one, 'expired', 1, { expiry: { idleMs: 500 } });
    granted(await one.lock('locked', asks(a, 5)));
    await pass(LEASE_MS + 10);
    assert.equal(await sweepAll(two, GRACE_MS), 0, 'the first look');
    for (const expiry of [undefined, { idleMs: HOUR_MS }])
      assert.equal((await one.touch('expired', { token, expiry })).touched, false);
    refused(await one.append('expired', record(2, token)), 'conflict');
    appended(await one.append('expired', record(1, token))); // offered again
    waits(await one.lock('locked', asks(a, 4)));
    await one.unlock('locked', { member: a, ticket: 4 });
    await one.unlock('expired', { member: a, ticket: 4 });
    await one.unlock('expired', { token });
    await pass(GRACE_MS + 100);
    assert.equal(await sweepAll(two, GRACE_MS), 2);
  },
  'what goes takes nothing else with it before its time': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const graceMs = 1000;
    await begin(one, 'later', 1, { expiry: { idleMs: LEASE_MS + 2 * graceMs } });
    for (const ticket of [1, 2, 3]) granted(await one.lock('first', asks(a, ticket)));
    await pass(LEASE_MS + 100);
    await sweepAll(two, graceMs);
    await pass(2 * graceMs);
    assert.equal(await sweepAll(two, graceMs), 1);
    assert.equal(await sweepAll(two, graceMs), 0);
    assert.equal((await head(one, 'later'))?.state, 'expired');
    await pass(graceMs + 100);
    assert.equal(await sweepAll(two, graceMs), 1);
  },
  'an expired session stays while its lock is held': async ({ one, pass }) => {
    const { member: a } = await member(one);
    const { token } = granted(await one.lock('s', asks(a, 1, { leaseMs: 100 * LEASE_MS })));
    appended(await one.append('s', record(1, token, { expiry: { idleMs: 500 } })));
    await pass(600);
    await sweepAll(one, 0);
    await pass(100);
    assert.equal(await sweepAll(one, 0), 0);
    appended(await one.append('s', record(2, token, { kind: 'snapshot' })));
    assert.deepEqual(await whole(one), ['r2']);
  },
  'tokens never begin again': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    let last = 0;
    for (let life = 0; life < 3; life += 1) {
      for (let ticket = 1; ticket <= 3; ticket += 1) {
        const grant = granted(await one.lock('s', asks(a, 10 * life + ticket)));
        assert(grant.token > last);
        last = grant.token;
      }
      if (life === 1) appended(await one.append('s', record(1, last, { expiry: { idleMs: 500 } })));
      if (life === 1) appended(await one.append('s', record(2, last, { kind: 'end' })));
      const before = await tokenOf(one, 's');
      await pass(LEASE_MS + 600);
      await sweepAll(two, 0);
      assert.equal(await sweepAll(two, 0), 1);
      assert((await tokenOf(two, 's')) >= before);
    }
    if (last > 1) refused(await one.append('s', record(1, 1)), 'fenced');
  },
  'a late append does not begin what was swept': async ({ one, two, pass }) => {
    const token = await begin(one, 's', 1, { expiry: { idleMs: 500 } });
    await pass(600);
    await sweepAll(two, 0);
    assert.equal(await sweepAll(two, 0), 1);
    const current = await tokenOf(one, 's');
    refused(await one.append('s', record(2, current)), 'conflict');
    refused(await one.append('s', record(2, current, { kind: 'snapshot' })), 'conflict');
    refused(await one.append('s', record(1, token)), 'fenced'); // offered again, it is not the first of a new session
    assert.equal(await head(two), undefined);
  },
  'a use voids the look of a clock that was wrong': async (place) => {
    const { one, two, pass } = place;
    const { member: a } = await member(one);
    const token = await begin(one, 'appended', 1, { expiry: { idleMs: HOUR_MS } });
    await begin(one, 'touched', 1, { expiry: { idleMs: HOUR_MS } });
    await begin(one, 'untouched', 1, { expiry: { idleMs: HOUR_MS } });
    await begin(one, 'left alone', 1, { expiry: { idleMs: HOUR_MS } });
    await pass(HOUR_MS - 1000);
    await jump(place, 900);
    await pass(200);
    await sweepAll(two, GRACE_MS);
    await jump(place, -900);
    appended(await one.append('appended', record(2, token)));
    assert.equal((await one.touch('touched', { token })).touched, true);
    granted(await one.lock('untouched', asks(a, 1)));
    assert.equal(await sweepAll(two, GRACE_MS), 0);
    await pass(HOUR_MS + GRACE_MS);
    assert.equal(await sweepAll(two, GRACE_MS), 0, 'each is looked at anew');
    await pass(GRACE_MS + 100);
    assert.equal(await sweepAll(two, GRACE_MS), 4);
  },
};
