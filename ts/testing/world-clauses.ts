import assert from 'node:assert/strict';
import {
  appended,
  asks,
  at,
  begin,
  bytesOf,
  granted,
  head,
  ids,
  member,
  pages,
  record,
  refused,
  rejects,
  sweepAll,
  tokenOf,
  waits,
} from './place.ts';
import type { Clauses } from './place.ts';

const FLOOR = 2 ** 32;

export const worldClauses: Clauses = {
  'a promotion fences every id, written or not': async ({ one, two }) => {
    const { member: a } = await member(one);
    const token = await begin(one, 's', 1);
    const grant = granted(await one.lock('locked', asks(a, 1)));
    const { epoch } = await two.promote(0);
    for (const id of ['s', 'locked', 'never written']) assert.equal(await tokenOf(one, id), epoch * FLOOR, id);
    assert.equal((await head(one))?.token, epoch * FLOOR);
    refused(await one.append('s', record(2, token)), 'fenced');
    refused(await one.append('locked', record(1, grant.token)), 'fenced');
    assert.equal(
      refused(await one.append('never written', record(1, epoch * FLOOR - 1)), 'fenced').token,
      epoch * FLOOR,
    );
    assert.equal((await one.touch('s', { token })).touched, false);
    appended(await one.append('s', record(2, epoch * FLOOR)));
    appended(await one.append('never written', record(1, epoch * FLOOR)));
    assert(granted(await one.lock('new', asks(a, 1))).token > epoch * FLOOR);
  },
  'a promotion goes above what is named and what is there': async ({ one, two }) => {
    const before = await one.ping();
    assert.deepEqual(before, { epoch: 0 });
    const first = (await one.promote(0)).epoch;
    assert(first > 0);
    assert((await two.promote(0)).epoch > first, 'repeated: harmless');
    const far = (await two.promote(77)).epoch;
    assert(far > 77);
    assert.deepEqual(await one.ping(), { epoch: far });
    await rejects(one.promote(-1), 'ERR_INVALID');
  },
  'epochs end': async ({ one }) => {
    await rejects(one.promote(2 ** 20 - 1), 'ERR_LIMIT');
    assert.deepEqual(await one.ping(), { epoch: 0 });
    assert.equal((await one.promote(2 ** 20 - 2)).epoch, 2 ** 20 - 1);
    await rejects(one.promote(0), 'ERR_LIMIT');
    assert(Number.isSafeInteger(await tokenOf(one, 's')));
  },
  'a member knows the epoch that it joined under': async ({ one, two }) => {
    assert.equal((await member(one)).epoch, 0);
    const { epoch } = await two.promote(3);
    assert.equal((await member(one)).epoch, epoch);
  },
  'a grant of the old world is none in the new': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const grant = granted(await one.lock('s', asks(a, 1)));
    await two.promote(0);
    assert.equal((await one.touch('s', { token: grant.token, renew: true })).touched, false);
    await one.unlock('s', { token: grant.token });
    const next = granted(await two.lock('s', asks(b, 1)));
    await one.unlock('s', { token: grant.token });
    assert.equal((await one.inspect('s')).lock.holder?.member, b);
    waits(await one.lock('s', asks(a, 1)));
    assert(next.token > grant.token);
  },
  'living sessions are listed, ended, expired and unwritten ones are not': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    await begin(one, 'living', 2, { terms: ['t'] });
    const token = await begin(one, 'ended', 1, { terms: ['t'] });
    appended(await one.append('ended', record(2, token, { kind: 'end', terms: ['t'] })));
    await begin(one, 'expired', 1, { expiry: { idleMs: 100 }, terms: ['t'] });
    granted(await one.lock('locked', asks(a, 1)));
    await pass(200);
    assert.deepEqual([await ids(two), await ids(two, 't'), await ids(two, 'u')], [['living'], ['living'], []]);
  },
  'a listing goes page by page, with a term or without': async ({ one, two }) => {
    const all = Array.from({ length: 25 }, (_, i) => `s${String(i).padStart(2, '0')}`);
    for (const id of all) await begin(one, id, 1, { terms: [Number(id.slice(1)) % 2 === 0 ? 'even' : 'odd'] });
    assert((await two.list({ limit: 10 })).ids.length <= 10);
    assert.deepEqual(await ids(two), all);
    assert.deepEqual(
      await ids(two, 'even'),
      all.filter((_, i) => i % 2 === 0),
    );
    for (const limit of [0, -1, 0.5]) await rejects(one.list({ limit }), 'ERR_INVALID');
  },
  'who loses a term takes it from no other': async ({ one, two, pass }) => {
    const token = await begin(one, 'stays', 1, { terms: ['t'] });
    for (const id of ['appended', 'replaced', 'ended', 'swept'])
      await begin(one, id, 1, { terms: ['t'], ...(id === 'swept' && { expiry: { idleMs: 100 } }) });
    await pass(200);
    appended(await one.append('appended', record(2, token, { terms: [] })));
    appended(
      await one.replace(
        'replaced',
        { records: [{ position: at(1), kind: 'snapshot', bytes: bytesOf('r') }], createdAt: 1, expiry: {}, token },
        undefined,
      ),
    );
    appended(await one.append('ended', record(2, token, { kind: 'end', terms: [] })));
    for (const swept of [0, 1]) assert.equal(await sweepAll(one, 0), swept);
    assert.deepEqual(await ids(two, 't'), ['stays']);
  },
  'what lives all through a listing is in it': async ({ one, two, pass }) => {
    const stays = Array.from({ length: 30 }, (_, i) => `stay${i}`);
    for (const [i, id] of stays.entries()) {
      await begin(one, id, 1);
      for (const more of ['x', 'y', 'z', 'w']) await begin(one, `${more}${i}`, 1, { expiry: { idleMs: 100 } });
    }
    await pass(200);
    let round = 0;
    const listed = await pages(async (from) => {
      const page = await two.list({ limit: 7, ...from });
      round += 1;
      if (round < 5) await one.sweep({ limit: 1000, graceMs: 0 });
      if (round < 20) await begin(one, `new${round}`, 1);
      return page;
    });
    const found = listed.flatMap((page) => page.ids);
    assert.deepEqual(
      stays.filter((id) => !found.includes(id)),
      [],
    );
    assert.equal(found.filter((id) => /^[xyzw]/.test(id)).length, 0);
  },
  'holder and queue are shown, and looking changes nothing': async ({ one, two }) => {
    assert.deepEqual(await two.inspect('s'), { head: undefined, lock: { queue: [] } });
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const token = await begin(one, 's', 1);
    granted(await one.lock('s', asks(a, 1)));
    waits(await two.lock('s', asks(b, 1)));
    const shown = await two.inspect('s');
    assert.deepEqual([shown.head?.position, shown.lock.holder?.member, shown.lock.holder?.recalled], [at(1), a, true]);
    assert((shown.lock.holder?.leaseLeftMs ?? 0) > 0 && (shown.lock.queue[0]?.leftMs ?? 0) > 0);
    assert.deepEqual(
      shown.lock.queue.map((place) => place.member),
      [b],
    );
    assert.equal((await two.inspect('s')).head?.token, shown.head?.token);
    assert((shown.head?.token ?? 0) > token);
  },
};
