import assert from 'node:assert/strict';
import { ORIGIN } from '../position.ts';
import {
  appended,
  asks,
  at,
  begin,
  bytesOf,
  everyCall,
  granted,
  head,
  ids,
  member,
  record,
  refused,
  rejects,
  whole,
} from './place.ts';
import type { Clauses } from './place.ts';

export const callClauses: Clauses = {
  'a call that was cancelled before it began does nothing': async ({ one, two }) => {
    const { member: a } = await member(one);
    await begin(one, 's', 1);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    for (const call of everyCall(two, 's', a, token))
      await rejects(call({ signal: AbortSignal.abort() }), 'ERR_UNAVAILABLE', 'none');
    const { head: found, lock } = await one.inspect('s');
    assert.deepEqual(
      [await whole(one), found?.token, found?.expiry, lock.holder?.member, (await one.ping()).epoch],
      [['r1'], token, {}, a, 0],
    );
  },
  'a call whose time is over does nothing': async ({ one, two }) => {
    const { member: a } = await member(one);
    await begin(one, 's', 1);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    for (const timeoutMs of [0, -5]) {
      for (const call of everyCall(two, 's', a, token)) await rejects(call({ timeoutMs }), 'ERR_UNAVAILABLE', 'none');
    }
    const { head: found, lock } = await one.inspect('s');
    assert.deepEqual(
      [await whole(one), found?.token, found?.expiry, lock.holder?.member, (await one.ping()).epoch],
      [['r1'], token, {}, a, 0],
    );
    for (const call of everyCall(two, 's', a, token)) await rejects(call({ timeoutMs: Number.NaN }), 'ERR_INVALID');
  },
  'a watch and a leaving are bounded like any call': async ({ one }) => {
    const joined = await member(one);
    await rejects(joined.leave({ signal: AbortSignal.abort() }), 'ERR_UNAVAILABLE', 'none');
    await rejects(joined.leave({ timeoutMs: 0 }), 'ERR_UNAVAILABLE', 'none');
    for (const wrong of [null, { timeoutMs: Number.NaN }, { signal: {} }]) {
      await rejects(joined.leave(wrong as never), 'ERR_INVALID');
      await rejects(joined.watch([], wrong as never), 'ERR_INVALID');
    }
    await rejects(joined.watch([], { signal: AbortSignal.abort() }), 'ERR_UNAVAILABLE', 'none');
    await rejects(joined.watch([], { timeoutMs: 0 }), 'ERR_UNAVAILABLE', 'none');
  },
  'what a caller makes of its objects after a call changes nothing of it': async ({ one, two }) => {
    const { member: a } = await member(one);
    const token = await begin(one, 's', 1);
    const [parent, position, expiry, terms] = [{ ...at(1) }, { ...at(2) }, { idleMs: 60_000 }, ['term']];
    const appending = one.append('s', {
      parent,
      position,
      kind: 'delta',
      bytes: bytesOf('two'),
      under: token,
      expiry,
      terms,
    });
    Object.assign(parent, at(7));
    Object.assign(position, { revision: 9, nonce: 6.5 });
    Object.assign(expiry, { idleMs: 1 });
    terms[0] = 'other';
    appended(await appending);
    assert.deepEqual(
      [await whole(two), (await head(two))?.position, (await head(two))?.expiry, await ids(two, 'term')],
      [['r1', 'two'], at(2), { idleMs: 60_000 }, ['s']],
    );
    const under = { ...asks(a, 1) };
    const locking = one.lock('s', under);
    Object.assign(under, { member: 'nobody', ticket: 99, leaseMs: 1 });
    const grant = granted(await locking);
    assert.equal((await two.inspect('s')).lock.holder?.member, a);
    const use = { token: grant.token, expiry: { idleMs: 5000 } };
    const touching = one.touch('s', use);
    use.expiry.idleMs = 7;
    assert.equal((await touching).touched, true);
    assert.deepEqual((await head(two))?.expiry, { idleMs: 5000 });
    const who = { token: grant.token };
    const unlocking = one.unlock('s', who);
    who.token = 0;
    await unlocking;
    assert.equal((await two.inspect('s')).lock.holder, undefined);
    const image = {
      records: [{ position: { ...at(5) }, kind: 'snapshot' as const, bytes: bytesOf('five') }],
      createdAt: 1,
      expiry: { ageMs: 2 ** 50 },
      terms: ['new'],
      token: grant.token,
    };
    const replacing = one.replace('s', image, at(2));
    (image.records[0] as { position: object }).position = at(6);
    image.expiry.ageMs = 1;
    image.terms[0] = 'none';
    appended(await replacing);
    assert.deepEqual(
      [await whole(two), (await head(two))?.position, (await head(two))?.expiry, await ids(two, 'new')],
      [['five'], at(5), { ageMs: 2 ** 50 }, ['s']],
    );
  },
  'what a caller makes of an answer changes nothing in the store': async ({ one, two }) => {
    const { member: a } = await member(one);
    await begin(one, 's', 1, { expiry: { idleMs: 60_000 }, terms: ['term'] });
    const grant = granted(await one.lock('s', asks(a, 1)));
    const { head: found, terms } = grant.tail;
    Object.assign(found?.expiry ?? {}, { idleMs: 1 });
    (terms as string[]).push('other');
    assert.equal((await one.touch('s', { token: grant.token, renew: true })).touched, true);
    const after = await two.read('s', { since: ORIGIN });
    assert.deepEqual([after.head?.expiry, after.terms, await ids(two, 'other')], [{ idleMs: 60_000 }, ['term'], []]);
  },
  'two connections to one place say so': async ({ one, two }) => {
    assert.equal(one.address, two.address);
  },
  'an ample bound changes nothing': async ({ one }) => {
    const { member: a } = await member(one);
    const token = await begin(one, 's', 1);
    const options = { timeoutMs: 60_000, signal: new AbortController().signal };
    for (const call of everyCall(one, 's', a, token)) await call(options);
    assert.equal((await head(one))?.position.revision, 5);
  },
  'the store says what it can': async ({ one }) => {
    assert(one.can.durability.every((level) => ['primary', 'fsync', 'replicas'].includes(level)));
    assert(typeof one.can.watch === 'boolean' && typeof one.can.find === 'boolean');
  },
  'rivals are answers, not errors': async ({ one }) => {
    const token = await begin(one, 's', 1);
    refused(await one.append('s', record(2, token, { parent: at(1, 5) })), 'conflict');
  },
  'pending calls finish, later ones find the store closed': async ({ one, two }) => {
    const { member: a } = await member(one);
    await begin(one, 's', 1);
    const pending = one.append('s', record(2, 9));
    const others = [
      one.read('s', { since: at(1) }),
      one.touch('s', { token: 0 }),
      one.list({ limit: 1 }),
      one.inspect('s'),
      one.ping(),
      one.sweep({ limit: 1, graceMs: 0 }),
    ];
    const closed = one.close();
    assert.equal((await pending).appended, true);
    await Promise.all(others);
    await closed;
    await one.close();
    for (const call of everyCall(one, 's', a, 0)) await rejects(call({}), 'ERR_CLOSED');
    if (two !== one) assert.deepEqual(await whole(two), ['r1', 'r2']);
  },
};
