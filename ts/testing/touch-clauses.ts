import assert from 'node:assert/strict';
import type { Touched } from '../store/store.ts';
import {
  LEASE_MS,
  appended,
  asks,
  assertAbout,
  at,
  begin,
  granted,
  head,
  member,
  record,
  rejects,
  waits,
} from './place.ts';
import type { Clauses } from './place.ts';

function touched(answer: Touched): number {
  assert(answer.touched, `touched: ${JSON.stringify(answer)}`);
  return answer.leftMs;
}

function untouched(answer: Touched, why: 'fenced' | 'gone'): Touched & { readonly touched: false } {
  assert(!answer.touched && answer.why === why, `untouched, ${why}: ${JSON.stringify(answer)}`);
  return answer;
}

export const touchClauses: Clauses = {
  'a use keeps a session from expiring': async ({ one, two, pass }) => {
    const token = await begin(one, 's', 1, { expiry: { idleMs: 1000 } });
    await pass(600);
    assertAbout(touched(await two.touch('s', { token })), 1000);
    await pass(600);
    assert.equal((await head(one))?.state, 'live');
    await begin(one, 't', 1);
    assert.equal(touched(await one.touch('t', { token })), Infinity);
  },
  'who uses or appends learns that others queue': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    assert.equal(untouched(await one.touch('s', { token, renew: true }), 'gone').wanted, false);
    assert.equal(appended(await one.append('s', record(1, token))).wanted, false);
    waits(await two.lock('s', asks(b, 1)));
    assert.equal(appended(await one.append('s', record(2, token))).wanted, true);
    assert.equal(appended(await one.append('s', record(2, token))).wanted, true); // offered again
    assert.equal((await one.touch('s', { token, renew: true })).wanted, true);
    assert.equal((await one.touch('s', { token: token - 1, renew: true })).wanted, true);
    assert.equal(appended(await one.append('s', record(3, token, { lock: 'release' }))).wanted, false);
  },
  'a plain use needs no current token, only one of the epoch': async ({ one, two }) => {
    const token = await begin(one, 's', 1);
    const { member: b } = await member(two);
    const grant = granted(await two.lock('s', asks(b, 1)));
    touched(await one.touch('s', { token }));
    const { epoch } = await two.promote(0);
    const answer = untouched(await one.touch('s', { token: grant.token }), 'fenced');
    assert.deepEqual([answer.head?.position, answer.head?.token], [at(1), epoch * 2 ** 32]);
    touched(await one.touch('s', { token: epoch * 2 ** 32 }));
  },
  'a new rule needs a current token': async ({ one, two }) => {
    const token = await begin(one, 's', 1);
    const { member: b } = await member(two);
    const grant = granted(await two.lock('s', asks(b, 1)));
    assert.equal(untouched(await one.touch('s', { token, expiry: { idleMs: 5 } }), 'fenced').head?.token, grant.token);
    assert.deepEqual((await head(one))?.expiry, {});
    assertAbout(touched(await two.touch('s', { token: grant.token, expiry: { idleMs: 7000 } })), 7000);
    assert.deepEqual((await head(one))?.expiry, { idleMs: 7000 });
    assert.equal(touched(await two.touch('s', { token: grant.token, expiry: {} })), Infinity);
    for (const expiry of [{ idleMs: 0 }, { ageMs: -1 }, { idleMs: Infinity }])
      await rejects(one.touch('s', { token: grant.token, expiry }), 'ERR_INVALID');
    await rejects(one.touch('s', { token: -1 }), 'ERR_INVALID');
  },
  "a renewal needs the holder's token": async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const before = await begin(one, 's', 1);
    untouched(await one.touch('s', { token: before, renew: true, expiry: { idleMs: 60_000 } }), 'fenced');
    assert.deepEqual((await head(one))?.expiry, {});
    const { token } = granted(await one.lock('s', asks(a, 1)));
    await pass(LEASE_MS * 0.7);
    untouched(await two.touch('s', { token: before, renew: true }), 'fenced');
    assertAbout((await two.inspect('s')).lock.holder?.leaseLeftMs ?? 0, LEASE_MS * 0.3);
    touched(await one.touch('s', { token }));
    assertAbout((await two.inspect('s')).lock.holder?.leaseLeftMs ?? 0, LEASE_MS * 0.3);
    touched(await one.touch('s', { token, renew: true }));
    assertAbout((await two.inspect('s')).lock.holder?.leaseLeftMs ?? 0, LEASE_MS);
    await one.unlock('s', { token });
    granted(await two.lock('s', asks(b, 1)));
    untouched(await one.touch('s', { token, renew: true }), 'fenced');
  },
  'the lock of a session that was never written is renewed': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    await pass(LEASE_MS * 0.7);
    assert.equal(untouched(await one.touch('s', { token, renew: true }), 'gone').head, undefined);
    assertAbout((await one.inspect('s')).lock.holder?.leaseLeftMs ?? 0, LEASE_MS);
    await pass(LEASE_MS * 0.7);
    waits(await two.lock('s', asks(b, 1)));
  },
  'what is not there is gone': async ({ one }) => {
    assert.equal(untouched(await one.touch('s', { token: 0 }), 'gone').head, undefined);
    untouched(await one.touch('s', { token: 0, expiry: { idleMs: 5 } }), 'gone');
    untouched(await one.touch('s', { token: 0, renew: true }), 'fenced');
    assert.deepEqual(await one.inspect('s'), { head: undefined, lock: { queue: [] } });
  },
  'a use never brings back what has expired': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    const { token } = granted(await one.lock('s', asks(a, 1, { leaseMs: 10 * LEASE_MS })));
    appended(await one.append('s', record(1, token, { expiry: { idleMs: 500 } })));
    await pass(600);
    for (const use of [
      { token },
      { token, expiry: {} },
      { token, renew: true },
      { token, renew: true, expiry: { idleMs: 60_000 } },
    ]) {
      assert.equal(untouched(await two.touch('s', use), 'gone').head?.state, 'expired');
      assert.deepEqual([(await head(one))?.state, (await head(one))?.expiry], ['expired', { idleMs: 500 }]);
    }
    assertAbout((await one.inspect('s')).lock.holder?.leaseLeftMs ?? 0, 10 * LEASE_MS);
  },
  'a use of an ended session is none': async ({ one, pass }) => {
    const token = await begin(one, 's', 1);
    appended(await one.append('s', record(2, token, { kind: 'end', expiry: { idleMs: 1000 } })));
    await pass(600);
    assert.equal(untouched(await one.touch('s', { token }), 'gone').head?.state, 'ended');
    await pass(600);
    assert.equal((await head(one))?.state, 'expired');
  },
};
