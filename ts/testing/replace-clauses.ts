import assert from 'node:assert/strict';
import { ORIGIN } from '../position.ts';
import type { Hint, ImageRecord, RecordKind, SessionImage } from '../store/store.ts';
import {
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
  quiet,
  record,
  refused,
  rejects,
  texts,
  tokenOf,
  until,
  waits,
  whole,
} from './place.ts';
import type { Clauses } from './place.ts';

const entry = (revision: number, kind: RecordKind, text = `i${revision}`): ImageRecord => ({
  position: at(revision),
  kind,
  bytes: bytesOf(text),
});
const image = (token: number, more: Partial<SessionImage> = {}): SessionImage => ({
  records: [entry(5, 'snapshot'), entry(6, 'delta'), entry(7, 'delta')],
  createdAt: 1_700_000_000_000,
  expiry: {},
  token,
  ...more,
});

export const replaceClauses: Clauses = {
  'an image takes the place of what is there, whatever that is': async ({ one, two }) => {
    await begin(one, 's', 3, { terms: ['old'], expiry: { idleMs: 50_000 } });
    appended(await two.replace('s', image(0, { terms: ['new'], expiry: { ageMs: 2 ** 50 } }), undefined));
    assert.deepEqual([await whole(one), await ids(one, 'old'), await ids(one, 'new')], [['i5', 'i6', 'i7'], [], ['s']]);
    const found = await head(one);
    assert.deepEqual(
      [found?.position, found?.first, found?.snapshot, found?.snapshotBytes, found?.deltaBytes],
      [at(7), 5, 5, 2, 4],
    );
    assert.deepEqual([found?.createdAt, found?.expiry, found?.state], [1_700_000_000_000, { ageMs: 2 ** 50 }, 'live']);
    appended(await two.replace('s', image(0, { records: [entry(2, 'snapshot', 'back')] }), undefined));
    assert.deepEqual([await whole(one), await ids(one, 'new')], [['back'], []]);
    appended(await two.replace('t', image(0), undefined));
    assert.deepEqual(await whole(one, 't'), ['i5', 'i6', 'i7']);
  },
  'a reader of the whole learns the terms, so that an image of it has them': async ({ one, two }) => {
    await begin(one, 's', 2, { terms: ['x', 'y'] });
    await begin(one, 't', 1);
    assert.deepEqual((await two.read('s', { since: ORIGIN })).terms?.toSorted(), ['x', 'y']);
    for (const limitBytes of [0, 2])
      assert.deepEqual((await two.read('s', { since: ORIGIN, limitBytes })).terms?.toSorted(), ['x', 'y']);
    assert.equal((await two.read('s', { since: at(1) })).terms, undefined);
    assert.equal((await two.read('t', { since: ORIGIN })).terms, undefined);
  },
  'who has the lock is recalled when its session is replaced': async (place) => {
    const { one, two } = place;
    const hints: Hint[] = [];
    const { member: a } = await member(one, hints);
    await begin(one, 's', 1);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    appended(await two.replace('s', image(0), undefined));
    await until(place, () => hints.length > 0);
    assert.deepEqual(hints, [{ kind: 'recall', id: 's', token }]);
    assert.equal((await two.inspect('s')).lock.holder, undefined);
  },
  'who has the lock hears nothing of an image that is refused': async ({ one, two }) => {
    const hints: Hint[] = [];
    const { member: a } = await member(one, hints);
    await begin(one, 's', 1);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    refused(await two.replace('s', image(0), at(5)), 'conflict');
    await quiet();
    assert.deepEqual([hints, (await two.inspect('s')).lock.holder?.member, await tokenOf(two, 's')], [[], a, token]);
  },
  'an image is used when it is put in place': async ({ one, two, pass }) => {
    appended(await one.replace('s', image(0, { expiry: { idleMs: 1000 } }), undefined));
    assert.equal((await head(two))?.state, 'live');
    assertAbout((await head(two))?.leftMs ?? 0, 1000);
    await pass(1100);
    assert.equal((await head(two))?.state, 'expired');
  },
  'what has expired or ended, or is only locked, is replaced where it is expected': async ({ one, two, pass }) => {
    const { member: a } = await member(one);
    await begin(one, 'expired', 2, { expiry: { idleMs: 500 } });
    const token = await begin(one, 'ended', 1);
    appended(await one.append('ended', record(2, token, { kind: 'end' })));
    await pass(600);
    for (const id of ['expired', 'ended']) {
      refused(await two.replace(id, image(token), at(2, 5)), 'conflict');
      appended(await two.replace(id, image(token), at(2)));
      assert.deepEqual([(await head(one, id))?.state, await whole(one, id)], ['live', ['i5', 'i6', 'i7']]);
    }
    const grant = granted(await one.lock('locked', asks(a, 1)));
    assert.equal(appended(await two.replace('locked', image(0), ORIGIN)).token, grant.token + 1);
  },
  "the source's next delta follows an image, and its readers read on": async ({ one, two }) => {
    const { token } = appended(await two.replace('s', image(3), undefined));
    assert.deepEqual(texts((await one.read('s', { since: at(6) })).records), ['i7']);
    appended(await one.append('s', record(8, token)));
    appended(await one.append('s', record(7, token)));
    assert.deepEqual(await whole(two), ['i5', 'i6', 'i7', 'r8']);
  },
  "an image's sizes count from its latest snapshot": async ({ one }) => {
    appended(
      await one.replace(
        's',
        image(0, { records: [entry(1, 'snapshot', 'long'), entry(2, 'snapshot', 'xyz'), entry(3, 'delta', 'd')] }),
        undefined,
      ),
    );
    const found = await head(one);
    assert.deepEqual([found?.first, found?.snapshot, found?.snapshotBytes, found?.deltaBytes], [1, 2, 3, 1]);
    assert.deepEqual(await whole(one), ['xyz', 'd']);
  },
  'an image replaces only what is at the position that was expected': async ({ one, two }) => {
    const token = await begin(one, 's', 3);
    const answer = refused(await two.replace('s', image(token), at(2)), 'conflict');
    assert.deepEqual([answer.tail.head?.position, answer.tail.records, answer.token], [at(3), [], token]);
    refused(await two.replace('s', image(token), at(3, 5)), 'conflict');
    appended(await two.replace('s', image(token), at(3)));
    refused(await two.replace('t', image(token), at(3)), 'conflict');
    appended(await two.replace('t', image(token), ORIGIN));
  },
  'an image that is offered again has replaced': async ({ one, two }) => {
    const token = await begin(one, 's', 3);
    const first = appended(await two.replace('s', image(token), at(3)));
    assert.equal(appended(await two.replace('s', image(token), at(3))).token, first.token);
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const grant = granted(await one.lock('s', asks(a, 1)));
    waits(await two.lock('s', asks(b, 1)));
    const { token: current, wanted } = appended(await two.replace('s', image(token), at(3)));
    assert.deepEqual([current, wanted], [grant.token, true]);
    appended(await one.append('s', record(8, grant.token)));
    refused(await two.replace('s', image(token), at(3)), 'conflict');
    assert.deepEqual(await whole(one), ['i5', 'i6', 'i7', 'r8']);
  },
  'the token rises above both, and the lock is free': async ({ one, two }) => {
    const { member: a } = await member(one);
    const { member: b } = await member(two);
    const grant = granted(await one.lock('s', asks(a, 1)));
    appended(await one.append('s', record(1, grant.token)));
    waits(await two.lock('s', asks(b, 1)));
    const { token, wanted } = appended(await two.replace('s', image(0), at(1)));
    assert.deepEqual([token, wanted], [grant.token + 1, false]);
    refused(await one.append('s', record(8, grant.token)), 'fenced');
    assert.deepEqual((await one.inspect('s')).lock, { queue: [] });
    assert.equal(appended(await two.replace('s', image(grant.token + 40), undefined)).token, grant.token + 41);
    assert.equal(await tokenOf(one, 's'), grant.token + 41);
    granted(await two.lock('s', asks(b, 2, { wait: false })));
  },
  'an image of an older epoch is refused': async ({ one, two }) => {
    await begin(one, 's', 3);
    let epoch = 0;
    for (const above of [0, 0, 4]) {
      const token = await tokenOf(one, 's');
      ({ epoch } = await one.promote(above));
      for (const expected of [undefined, at(3)]) {
        const answer = refused(await two.replace('s', image(token), expected), 'fenced');
        assert.deepEqual([answer.token, answer.tail.records, answer.tail.head?.position], [epoch * 2 ** 32, [], at(3)]);
      }
      refused(await two.replace('t', image(token), undefined), 'fenced');
    }
    assert.equal(appended(await two.replace('s', image(epoch * 2 ** 32), at(3))).token, epoch * 2 ** 32 + 1);
  },
  'an image may be an end': async ({ one, two }) => {
    const token = await begin(one, 's', 1);
    appended(await two.replace('s', image(token, { records: [entry(9, 'end')] }), at(1)));
    assert.deepEqual([(await head(one))?.state, await whole(one)], ['ended', ['i9']]);
  },
  'what is no image is named as a fault': async ({ one }) => {
    const bad: Partial<SessionImage>[] = [
      { records: [] },
      { records: [entry(5, 'delta')] },
      { records: [entry(5, 'snapshot'), entry(7, 'delta')] },
      { records: [entry(0, 'snapshot')] },
      { records: [entry(5, 'end'), entry(6, 'delta')] },
      { records: [entry(4, 'snapshot'), entry(5, 'end'), entry(6, 'delta')] },
      { expiry: { idleMs: 0 } },
      { token: -1 },
      { terms: [''] },
      { createdAt: Number.NaN },
    ];
    for (const more of bad) await rejects(one.replace('s', image(0, more), undefined), 'ERR_INVALID');
    assert.equal(await head(one), undefined);
  },
};
