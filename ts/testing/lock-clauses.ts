import assert from 'node:assert/strict';
import {
  LEASE_MS,
  appended,
  asks,
  assertAbout,
  at,
  begin,
  granted,
  member,
  record,
  refused,
  rejects,
  texts,
  tokenOf,
  waits,
} from './place.ts';
import type { Clauses } from './place.ts';
import type { LockRequest } from '../store/store.ts';

// docs/protocol.md: Tokens, Locks
export const lockClauses: Clauses = {
  'what is not there leaves no trace where only a living session was asked for': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const asked = { existing: true };
    const none = await one.lock('made up', asks(a, 1, asked));
    assert.deepEqual([none.granted, !none.granted && none.tail?.head], [false, undefined]);
    assert(!none.granted && none.tail !== undefined);
    assert.deepEqual((await two.inspect('made up')).lock, { queue: [] });
    const before = await tokenOf(two, 'made up');
    await one.lock('made up', asks(a, 2, asked));
    assert.equal(await tokenOf(two, 'made up'), before);
    const token = await begin(one, 'ended', 1);
    appended(await one.append('ended', record(2, token, { kind: 'end', expiry: { idleMs: 50_000 } })));
    const ended = await one.lock('ended', asks(a, 3, asked));
    assert(!ended.granted && ended.tail?.head?.state === 'ended' && ended.tail.records.length === 1);
    await begin(one, 'expired', 1, { expiry: { idleMs: 500 } });
    await pass(600);
    const expired = await one.lock('expired', asks(a, 4, asked));
    assert(!expired.granted && expired.tail?.head?.state === 'expired');
    await begin(one, 'live', 1);
    assert.deepEqual(granted(await one.lock('live', asks(a, 5, asked))).tail.head?.position, at(1));
    granted(await one.lock('new', asks(a, 6, { existing: false })));
  },
  'a grant brings what its member lacks, and raises the token': async ({ one, two }) => {
    const before = await begin(one, 's', 2);
    const { member: a } = await member(one);
    const first = granted(await one.lock('s', asks(a, 1)));
    assert.deepEqual(
      [texts(first.tail.records), first.tail.whole, first.wanted, first.tail.head?.token],
      [['r1', 'r2'], true, false, first.token],
    );
    assert(first.token > before);
    assertAbout(first.leaseLeftMs, LEASE_MS);
    await one.unlock('s', { token: first.token });
    const { member: b } = await member(two);
    const second = granted(await two.lock('s', asks(b, 1, { since: at(1) })));
    assert.deepEqual([texts(second.tail.records), second.tail.whole], [['r2'], false]);
    assert(second.token > first.token + 1, 'the release raised it too');
    refused(await one.append('s', record(3, first.token)), 'fenced');
    appended(await two.append('s', record(3, second.token)));
    const bounded = granted(await two.lock('s', asks(b, 2, { limitBytes: 0 })));
    assert.deepEqual([bounded.tail.records, bounded.tail.head?.position], [[], at(3)]);
    assert.deepEqual(granted(await two.lock('s', asks(b, 2, { limitBytes: 2 }))).tail.next, at(1));
  },
  'sessions that do not exist yet are locked too': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const first = granted(await one.lock('s', asks(a, 1)));
    assert.deepEqual(first.tail, { head: undefined, records: [], whole: true });
    waits(await two.lock('s', asks(b, 1, { wait: false })));
    assert.deepEqual(
      [await one.list({ limit: 5 }), (await one.read('s', { since: at(1) })).head],
      [{ ids: [] }, undefined],
    );
    refused(await two.append('s', record(1, first.token - 1)), 'fenced');
    appended(await one.append('s', record(1, first.token)));
  },
  'the same ticket finds its grant as it is': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const first = granted(await one.lock('s', asks(a, 7)));
    await pass(LEASE_MS / 4);
    const again = granted(await two.lock('s', asks(a, 7)));
    assert.equal(again.token, first.token);
    assertAbout(again.leaseLeftMs, LEASE_MS * 0.75);
    await pass(LEASE_MS / 2);
    const later = granted(await one.lock('s', asks(a, 7)));
    assert.equal(later.token, first.token);
    assertAbout(later.leaseLeftMs, LEASE_MS);
    assertAbout((await two.inspect('s')).lock.holder?.leaseLeftMs ?? 0, LEASE_MS);
    appended(await one.append('s', record(1, first.token)));
  },
  'a lapsed lease is never handed back as it is': async ({ one, pass }) => {
    const { member: a } = await member(one);
    const first = granted(await one.lock('s', asks(a, 1)));
    await pass(LEASE_MS + 10);
    const again = granted(await one.lock('s', asks(a, 1)));
    assert(again.token > first.token);
    assertAbout(again.leaseLeftMs, LEASE_MS);
    refused(await one.append('s', record(1, first.token)), 'fenced');
  },
  'a lease has lapsed as soon as nothing of it is left': async ({ one, pass }) => {
    const { member: a } = await member(one);
    const first = granted(await one.lock('s', asks(a, 1)));
    await pass(LEASE_MS);
    const leftMs = (await one.inspect('s')).lock.holder?.leaseLeftMs ?? 0;
    const again = granted(await one.lock('s', asks(a, 1)));
    if (leftMs <= 0) assert(again.token > first.token, `${leftMs} ms were left`);
  },
  'a lapsed holder queues behind those who wait': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    granted(await one.lock('s', asks(a, 1)));
    await pass(LEASE_MS - 300);
    waits(await two.lock('s', asks(b, 1)));
    await pass(350);
    waits(await one.lock('s', asks(a, 1)));
    assert.equal((await one.inspect('s')).lock.holder?.member, b);
    granted(await two.lock('s', asks(b, 1)));
  },
  'a lapsed holder goes on while a recall could not have arrived': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const first = granted(await one.lock('s', asks(a, 1)));
    await pass(LEASE_MS + 10);
    waits(await two.lock('s', asks(b, 1)));
    const again = granted(await one.lock('s', asks(a, 1)));
    assert(again.token > first.token && again.wanted);
    assert.deepEqual(
      (await one.inspect('s')).lock.queue.map((place) => place.member),
      [b],
    );
  },
  'a newer ticket of the holder is a new grant': async ({ one }) => {
    const { member: a } = await member(one);
    const first = granted(await one.lock('s', asks(a, 1)));
    const second = granted(await one.lock('s', asks(a, 2, { leaseMs: 5 * LEASE_MS })));
    assert(second.token > first.token);
    assertAbout(second.leaseLeftMs, 5 * LEASE_MS);
    assert.equal((await one.inspect('s')).lock.holder?.recalled, false);
    refused(await one.append('s', record(1, first.token)), 'fenced');
    await one.unlock('s', { token: first.token });
    await one.unlock('s', { member: a, ticket: 1 });
    waits(await one.lock('s', asks(a, 1)));
    appended(await one.append('s', record(1, second.token)));
  },
  'an older ticket changes nothing': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const grant = granted(await one.lock('s', asks(a, 5)));
    waits(await one.lock('s', asks(a, 4)));
    await one.unlock('s', { member: a, ticket: 4 });
    assert.deepEqual([await tokenOf(one, 's'), (await one.inspect('s')).lock.holder?.member], [grant.token, a]);
    waits(await two.lock('s', asks(b, 5)));
    waits(await two.lock('s', asks(b, 4)));
    await two.unlock('s', { member: b, ticket: 4 });
    assert.deepEqual(
      (await one.inspect('s')).lock.queue.map((place) => place.member),
      [b],
    );
  },
  'a late request keeps no place': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    granted(await one.lock('s', asks(a, 1, { leaseMs: 10 * LEASE_MS })));
    waits(await two.lock('s', asks(b, 5)));
    await pass(LEASE_MS / 2);
    waits(await two.lock('s', asks(b, 4, { leaseMs: 5 * LEASE_MS })));
    assertAbout((await one.inspect('s')).lock.queue[0]?.leftMs ?? 0, LEASE_MS / 2);
  },
  'a lapsed lease that nobody wants still appends': async ({ one, pass }) => {
    const { member: a } = await member(one);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    await pass(2 * LEASE_MS);
    appended(await one.append('s', record(1, token)));
    assertAbout((await one.inspect('s')).lock.holder?.leaseLeftMs ?? 0, LEASE_MS);
  },
  'a release gives the lock to the next, and outdates the token': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const first = granted(await one.lock('s', asks(a, 1)));
    await one.unlock('s', { token: first.token });
    assert.equal((await two.inspect('s')).lock.holder, undefined);
    assert((await tokenOf(one, 's')) > first.token);
    const second = granted(await one.lock('s', asks(a, 2)));
    waits(await two.lock('s', asks(b, 1)));
    await one.unlock('s', { member: a, ticket: 2 });
    const next = granted(await two.lock('s', asks(b, 1)));
    assert(next.token > second.token + 1);
  },
  "leaving ends a member's grant and place up to its ticket": async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    granted(await one.lock('s', asks(a, 3)));
    waits(await two.lock('s', asks(b, 3)));
    await two.unlock('s', { member: b, ticket: 9 });
    assert.deepEqual((await one.inspect('s')).lock.queue, []);
    await one.unlock('s', { member: a, ticket: 9 });
    assert.equal((await one.inspect('s')).lock.holder, undefined);
  },
  'leaving a place outdates nobody, and costs no other its place': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const { member: c } = await member(two);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    for (const who of [b, c]) waits(await two.lock('s', asks(who, 3)));
    await two.unlock('s', { member: b, ticket: 3 });
    const { lock } = await one.inspect('s');
    assert.deepEqual(
      [lock.holder?.member, lock.queue.map((place) => place.member), await tokenOf(one, 's')],
      [a, [c], token],
    );
    appended(await one.append('s', record(1, token)));
  },
  'a late leaving does not end a place that was asked for anew': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    granted(await one.lock('s', asks(a, 1)));
    for (const ticket of [1, 5]) waits(await two.lock('s', asks(b, ticket)));
    await two.unlock('s', { member: b, ticket: 4 });
    assert.deepEqual(
      (await one.inspect('s')).lock.queue.map((place) => place.member),
      [b],
    );
    await one.unlock('s', { member: a, ticket: 1 });
    await two.unlock('s', { member: b, ticket: 4 });
    assert.equal((await one.inspect('s')).lock.holder?.member, b);
  },
  'what is no longer held is not given up': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const first = granted(await one.lock('s', asks(a, 1)));
    await one.unlock('s', { token: first.token });
    const second = granted(await two.lock('s', asks(b, 1)));
    await one.unlock('s', { token: first.token });
    await one.unlock('s', { token: second.token - 1 });
    await one.unlock('s', { member: a, ticket: 1 });
    const before = await tokenOf(one, 'none');
    await one.unlock('none', { token: 5 });
    await one.unlock('none', { member: a, ticket: 5 });
    assert.deepEqual([await tokenOf(one, 's'), (await one.inspect('s')).lock.holder?.member], [second.token, b]);
    assert.equal(await tokenOf(one, 'none'), before);
  },
  'nobody else can lock with a bad request': async ({ one }) => {
    const bad: Partial<LockRequest>[] = [
      { member: '' },
      { ticket: -1 },
      { ticket: 0.5 },
      { leaseMs: 0 },
      { leaseMs: Infinity },
      { since: { revision: -1, nonce: 0 } },
      { limitBytes: -1 },
    ];
    for (const more of bad) await rejects(one.lock('s', asks('m', 1, more)), 'ERR_INVALID');
    await rejects(one.unlock('s', { member: '', ticket: 1 }), 'ERR_INVALID');
    await rejects(one.unlock('s', { token: -1 }), 'ERR_INVALID');
    assert.deepEqual((await one.inspect('s')).lock, { queue: [] });
  },
};
