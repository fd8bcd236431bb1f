import assert from 'node:assert/strict';
import {
  LEASE_MS,
  appended,
  asks,
  assertAbout,
  at,
  begin,
  bytesOf,
  granted,
  member,
  quiet,
  record,
  refused,
  texts,
  tokenOf,
  until,
  waits,
  wants,
  whole,
} from './place.ts';
import type { Clauses } from './place.ts';
import type { Hint } from '../store/store.ts';

export const requestClauses: Clauses = {
  'the lock is taken for the append alone': async ({ one, two }) => {
    const before = await begin(one, 's', 1);
    const { member: a } = await member(one);
    const { token } = appended(await one.append('s', record(2, wants(a, 1))));
    assert(token > before);
    assert((await tokenOf(two, 's')) > token);
    const { lock, head } = await two.inspect('s');
    assert.deepEqual([lock, head?.position], [{ queue: [] }, at(2)]);
    refused(await two.append('s', record(3, token)), 'fenced');
  },
  'a session is begun under a request': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { token } = appended(await one.append('s', record(1, wants(a, 1, { wait: false }))));
    assert(token > 0);
    assert.deepEqual(await whole(two), ['r1']);
  },
  'the lock is kept where the append says so': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { token } = appended(await one.append('s', record(1, wants(a, 1), { lock: 'renew' })));
    assertAbout((await two.inspect('s')).lock.holder?.leaseLeftMs ?? 0, LEASE_MS);
    appended(await one.append('s', record(2, token, { lock: 'leave' })));
    const same = appended(await one.append('s', record(3, wants(a, 1), { lock: 'leave' })));
    assert.equal(same.token, token);
    assert.equal((await two.inspect('s')).lock.holder?.member, a);
    const newer = appended(await one.append('s', record(4, wants(a, 2))));
    assert(newer.token > token);
    assert.equal((await two.inspect('s')).lock.holder, undefined);
  },
  "another's lock is waited for: place, recall, and the append when it is free": async (place) => {
    const { one, two } = place;
    const hints: Hint[] = [];
    const { member: a } = await member(one, hints);
    const { member: b } = await member(two, hints);
    const grant = granted(await one.lock('s', asks(a, 1)));
    appended(await one.append('s', record(1, grant.token)));
    const { retryMs } = refused(await two.append('s', record(2, wants(b, 4))), 'locked');
    assert(retryMs > 0 && retryMs <= LEASE_MS + 250);
    await until(place, () => hints.some(({ kind }) => kind === 'recall'));
    const { lock } = await one.inspect('s');
    assert.deepEqual([lock.holder?.recalled, lock.queue.map((place) => place.member)], [true, [b]]);
    await one.unlock('s', { token: grant.token });
    await until(place, () => hints.some(({ kind }) => kind === 'grant'));
    const { token } = appended(await two.append('s', record(2, wants(b, 4))));
    assert(token > grant.token);
    assert.deepEqual(await whole(one), ['r1', 'r2']);
    assert.equal((await one.inspect('s')).lock.holder, undefined);
  },
  'who only tries leaves no place and no recall behind': async ({ one, two }) => {
    const hints: Hint[] = [];
    const { member: a } = await member(one, hints);
    const { member: b } = await member(two);
    const grant = granted(await one.lock('s', asks(a, 1)));
    refused(await two.append('s', record(1, wants(b, 1, { wait: false }))), 'locked');
    await quiet();
    const { lock } = await one.inspect('s');
    assert.deepEqual([lock.holder?.recalled, lock.queue, hints], [false, [], []]);
    appended(await one.append('s', record(1, grant.token)));
  },
  'after its append the lock goes to the next in the queue': async (place) => {
    const { one, two } = place;
    const hints: Hint[] = [];
    const { member: a } = await member(one);
    const { member: b } = await member(two, hints);
    const { member: c } = await member(two, hints);
    const first = granted(await one.lock('s', asks(a, 1)));
    refused(await two.append('s', record(1, wants(b, 1))), 'locked');
    waits(await two.lock('s', asks(c, 1)));
    await one.unlock('s', { token: first.token });
    appended(await two.append('s', record(1, wants(b, 1))));
    await until(place, () => hints.filter(({ kind }) => kind === 'grant').length === 2);
    granted(await two.lock('s', asks(c, 1)));
  },
  'an outdated parent is refused, and the lock stays for the rebase': async ({ one, two }) => {
    await begin(one, 's', 2);
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const answer = refused(await one.append('s', record(2, wants(a, 1), { position: at(2, 5) })), 'conflict');
    assert.deepEqual(
      [answer.tail.whole, texts(answer.tail.records), answer.token],
      [false, ['r2'], answer.grant?.token],
    );
    assertAbout(answer.grant?.leaseLeftMs ?? 0, LEASE_MS);
    assert.equal(answer.grant?.wanted, false);
    refused(await two.append('s', record(3, wants(b, 1))), 'locked');
    appended(await one.append('s', record(3, answer.grant?.token ?? 0, { lock: 'release' })));
    appended(await two.append('s', record(4, wants(b, 1))));
  },
  'the lock goes back where there is nothing to rebase on': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const absent = refused(await one.append('none', record(2, wants(a, 1))), 'conflict');
    assert.deepEqual(
      [absent.grant, absent.tail.head, absent.token],
      [undefined, undefined, await tokenOf(two, 'none')],
    );
    const token = await begin(one, 'ended', 1);
    appended(await one.append('ended', record(2, token, { kind: 'end' })));
    await begin(one, 'expired', 1, { expiry: { idleMs: 100 } });
    await pass(150);
    granted(await one.lock('ended', asks(a, 1))); // also where the member had it before
    for (const [id, state] of [
      ['ended', 'ended'],
      ['expired', 'expired'],
    ] as const) {
      const answer = refused(await one.append(id, record(state === 'ended' ? 3 : 2, wants(a, 1))), 'conflict');
      assert.deepEqual(
        [answer.grant, answer.tail.head?.state, answer.token],
        [undefined, state, await tokenOf(two, id)],
      );
    }
    for (const id of ['none', 'ended', 'expired']) assert.equal((await two.inspect(id)).lock.holder, undefined, id);
  },
  'what was offered again is found before the lock is asked for': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    appended(await one.append('s', record(1, wants(a, 1))));
    const grant = granted(await two.lock('s', asks(b, 1)));
    assert.equal(appended(await one.append('s', record(1, wants(a, 1)))).token, grant.token);
    assert.deepEqual((await one.inspect('s')).lock.queue, []);
  },
  'a late request with an older ticket takes nothing': async ({ one, two }) => {
    await begin(one, 's', 1);
    const { member: a } = await member(one);
    const grant = granted(await one.lock('s', asks(a, 5)));
    refused(await one.append('s', record(2, wants(a, 4), { bytes: bytesOf('late') })), 'locked');
    assert.deepEqual(
      [(await two.inspect('s')).lock.holder?.member, await whole(two), await tokenOf(two, 's')],
      [a, ['r1'], grant.token],
    );
  },
  'an expired session is begun anew under a request': async ({ one, two, pass }) => {
    await begin(one, 's', 1, { expiry: { idleMs: 100 } });
    await pass(150);
    const { member: a } = await member(one);
    appended(await one.append('s', record(2, wants(a, 1), { kind: 'snapshot' })));
    assert.deepEqual(await whole(two), ['r2']);
  },
};
