import assert from 'node:assert/strict';
import {
  LEASE_MS,
  appended,
  asks,
  assertAbout,
  begin,
  granted,
  member,
  record,
  refused,
  tokenOf,
  waits,
} from './place.ts';
import type { Clauses } from './place.ts';

export const queueClauses: Clauses = {
  'those who wait are served in order, one place each': async ({ one, two }) => {
    const { member: a } = await member(one);
    const waiting = await Promise.all([member(two), member(one), member(two)]);
    granted(await one.lock('s', asks(a, 1)));
    for (const { member: name } of [...waiting, ...waiting]) waits(await two.lock('s', asks(name, 1)));
    assert.deepEqual(
      (await one.inspect('s')).lock.queue.map((place) => place.member),
      waiting.map((place) => place.member),
    );
    let last = a;
    for (const [index, { member: name }] of waiting.entries()) {
      await one.unlock('s', { member: last, ticket: 1 });
      assert.equal((await two.inspect('s')).lock.holder?.recalled, index < 2);
      for (const other of waiting.slice(index + 1)) waits(await one.lock('s', asks(other.member, 1)));
      const grant = granted(await one.lock('s', asks(name, 1)));
      assert.equal(grant.wanted, index < 2);
      last = name;
    }
  },
  'nobody who only tries overtakes those who wait': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const { member: c } = await member(one);
    const grant = granted(await one.lock('s', asks(a, 1)));
    waits(await two.lock('s', asks(b, 1)));
    waits(await one.lock('s', asks(c, 1, { wait: false })));
    await one.unlock('s', { token: grant.token });
    waits(await one.lock('s', asks(c, 2, { wait: false })));
    assert.deepEqual([(await one.inspect('s')).lock.holder?.member, (await one.inspect('s')).lock.queue], [b, []]);
    waits(await one.lock('s', asks(a, 2)));
    await two.promote(0);
    waits(await one.lock('s', asks(c, 3, { wait: false })));
    assert.deepEqual([(await one.inspect('s')).lock.holder?.member, (await one.inspect('s')).lock.queue], [a, []]);
  },
  "a try takes a free lock, and nothing of another's": async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    granted(await one.lock('s', asks(a, 1, { wait: false })));
    const retryMs = waits(await two.lock('s', asks(b, 1, { wait: false })));
    assert(retryMs > 0 && retryMs <= LEASE_MS + 250);
    const { lock } = await two.inspect('s');
    assert.deepEqual([lock.holder?.member, lock.holder?.recalled, lock.queue], [a, false, []]);
  },
  'a place that is not asked for is forfeit': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const { member: c } = await member(two);
    const grant = granted(await one.lock('s', asks(a, 1)));
    waits(await two.lock('s', asks(b, 1)));
    waits(await two.lock('s', asks(c, 1, { leaseMs: 4 * LEASE_MS })));
    assertAbout((await one.inspect('s')).lock.queue[0]?.leftMs ?? 0, LEASE_MS);
    await pass(LEASE_MS + 10);
    assert.deepEqual(
      (await one.inspect('s')).lock.queue.map((place) => place.member),
      [c],
    );
    await one.unlock('s', { token: grant.token });
    assert.equal((await one.inspect('s')).lock.holder?.member, c);
  },
  'a place is forfeit as soon as nothing of its time is left': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    granted(await one.lock('s', asks(a, 1, { leaseMs: 10 * LEASE_MS })));
    waits(await two.lock('s', asks(b, 1)));
    await pass(LEASE_MS);
    for (const { leftMs } of (await one.inspect('s')).lock.queue) assert(leftMs > 0, `${leftMs} ms were left`);
  },
  'who asks again when told to keeps its place': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const { member: c } = await member(two);
    const { token } = granted(await one.lock('s', asks(a, 1, { leaseMs: 10 * LEASE_MS })));
    for (const who of [b, c]) waits(await two.lock('s', asks(who, 1, { leaseMs: 10 * LEASE_MS })));
    for (let asked = 0; asked < 3; asked += 1) {
      const retryMs = waits(await two.lock('s', asks(b, 1)));
      assert(retryMs > 0 && retryMs < LEASE_MS);
      await pass(retryMs);
      assert.deepEqual(
        (await one.inspect('s')).lock.queue.map((place) => place.member),
        [b, c],
      );
    }
    await one.unlock('s', { token });
    granted(await two.lock('s', asks(b, 1)));
  },
  'a place is for the lease that was asked for last': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    for (const leaseMs of [LEASE_MS, 5 * LEASE_MS]) {
      waits(await two.lock('s', asks(b, 1, { leaseMs })));
      assertAbout((await one.inspect('s')).lock.queue[0]?.leftMs ?? 0, leaseMs);
    }
    await one.unlock('s', { token });
    assertAbout((await one.inspect('s')).lock.holder?.leaseLeftMs ?? 0, 5 * LEASE_MS);
  },
  'who asks again and again puts nothing off': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    granted(await one.lock('s', asks(a, 1)));
    await pass(LEASE_MS + 10);
    let reply = await two.lock('s', asks(b, 1));
    for (let asked = 0; asked < 5 && !reply.granted; asked += 1) {
      await pass(100);
      reply = await two.lock('s', asks(b, 1));
    }
    granted(reply);
  },
  'a holder that shows no life is replaced, and fenced off': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const first = granted(await one.lock('s', asks(a, 1)));
    appended(await one.append('s', record(1, first.token)));
    let waitedMs = 0;
    let reply = await two.lock('s', asks(b, 1));
    for (; !reply.granted; reply = await two.lock('s', asks(b, 1))) {
      assert(reply.retryMs > 0);
      waitedMs += reply.retryMs;
      assert(waitedMs <= LEASE_MS + 500, 'never longer than a lease and a recall');
      await pass(reply.retryMs);
    }
    assert(waitedMs > LEASE_MS - 200);
    refused(await one.append('s', record(2, first.token)), 'fenced');
    appended(await two.append('s', record(2, reply.token)));
  },
  'a lapsed lease is taken when a recall had time to arrive, not before': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const { member: c } = await member(two);
    granted(await one.lock('s', asks(a, 1)));
    await pass(LEASE_MS + 100);
    const retryMs = waits(await two.lock('s', asks(b, 1, { wait: false })));
    assert(retryMs > 0 && retryMs <= 250);
    assert.equal((await one.inspect('s')).lock.holder?.recalled, true);
    await pass(retryMs);
    granted(await two.lock('s', asks(b, 1, { wait: false })));
    granted(await one.lock('short', asks(a, 1, { leaseMs: 400 })));
    await pass(410);
    const soon = waits(await two.lock('short', asks(c, 1, { leaseMs: 4000 })));
    assert(soon > 0 && soon <= 100, 'a quarter of its lease');
  },
  'a holder that appends or renews is not replaced': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    for (let revision = 1; revision <= 6; revision += 1) {
      await pass(LEASE_MS / 2);
      if (revision % 2 === 0) await one.touch('s', { token, renew: true });
      else appended(await one.append('s', record((revision + 1) / 2, token)));
      waits(await two.lock('s', asks(b, 1)));
    }
  },
  'a lock of an older epoch is taken at once, and its queue stays': async ({ one, two }) => {
    await begin(one, 's', 1);
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const { member: c } = await member(two);
    const first = granted(await one.lock('s', asks(a, 1)));
    waits(await two.lock('s', asks(b, 1)));
    const { epoch } = await two.promote(0);
    assert.deepEqual((await one.inspect('s')).lock.holder, undefined);
    waits(await two.lock('s', asks(c, 1)));
    const next = granted(await two.lock('s', asks(b, 1)));
    assert(next.token > epoch * 2 ** 32 && next.token > first.token);
    assert.equal(await tokenOf(one, 's'), next.token);
  },
};
