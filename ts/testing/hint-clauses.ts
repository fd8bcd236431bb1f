import assert from 'node:assert/strict';
import type { Hint } from '../store/store.ts';
import {
  LEASE_MS,
  appended,
  asks,
  at,
  begin,
  bytesOf,
  granted,
  member,
  quiet,
  record,
  rejects,
  tokenOf,
  until,
  waits,
} from './place.ts';
import type { Clauses } from './place.ts';

const kinds = (hints: readonly Hint[]): string[] =>
  hints.map((hint) => (hint.kind === 'resync' ? hint.kind : `${hint.kind} ${hint.id}`));

// docs/protocol.md: Hints
export const hintClauses: Clauses = {
  'members have names of their own, never used again': async ({ one, two }) => {
    const names = new Set<string>();
    for (const store of [one, two, one, two]) {
      const joined = await member(store);
      names.add(joined.member);
      await joined.leave();
    }
    assert.equal(names.size, 4);
  },
  'a holder is recalled when another waits': async (place) => {
    const { one, two } = place;
    const hints: Hint[] = [];
    const { member: a } = await member(one, hints);
    const { member: b } = await member(two);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    assert.deepEqual(hints, []);
    waits(await two.lock('s', asks(b, 1)));
    await until(place, () => hints.length > 0);
    assert.deepEqual(hints[0], { kind: 'recall', id: 's', token });
    assert.equal((await two.inspect('s')).lock.holder?.recalled, true);
    assert.equal(granted(await one.lock('s', asks(a, 1))).wanted, true);
  },
  'each request that waits recalls the holder, for a hint may be lost': async (place) => {
    const { one, two } = place;
    const hints: Hint[] = [];
    const { member: a } = await member(one, hints);
    const { member: b } = await member(two);
    const { member: c } = await member(two);
    const { token } = granted(await one.lock('s', asks(a, 1)));
    for (const [index, who] of [b, b, c, c].entries()) {
      waits(await two.lock('s', asks(who, 1)));
      await until(place, () => hints.length > index);
    }
    assert.deepEqual(
      hints,
      Array.from({ length: 4 }, () => ({ kind: 'recall', id: 's', token })),
    );
  },
  "who gets the lock by another's request is told, too": async (place) => {
    const { one, two, pass } = place;
    const hints: Hint[] = [];
    const { member: a } = await member(one);
    const { member: b } = await member(two, hints);
    const { member: c } = await member(one);
    granted(await one.lock('s', asks(a, 1)));
    waits(await two.lock('s', asks(b, 1, { leaseMs: 5 * LEASE_MS })));
    await pass(LEASE_MS + 10);
    waits(await one.lock('s', asks(c, 1, { wait: false })));
    await until(place, () => hints.length > 0);
    assert.deepEqual(hints, [{ kind: 'grant', id: 's', token: await tokenOf(one, 's') }]);
    granted(await two.lock('s', asks(b, 1)));
  },
  'who gets the lock is told, and collects it': async (place) => {
    const { one, two } = place;
    const hints: Hint[] = [];
    const { member: a } = await member(one);
    const { member: b } = await member(two, hints);
    const first = granted(await one.lock('s', asks(a, 1)));
    waits(await two.lock('s', asks(b, 1)));
    await one.unlock('s', { token: first.token });
    await until(place, () => hints.length > 0);
    const grant = granted(await two.lock('s', asks(b, 1)));
    assert.deepEqual(hints, [{ kind: 'grant', id: 's', token: grant.token }]);
    assert(grant.token > first.token);
  },
  'who left hears nothing more': async ({ one, two }) => {
    const hints: Hint[] = [];
    const joined = await member(one, hints);
    const { member: b } = await member(two);
    granted(await one.lock('s', asks(joined.member, 1)));
    await joined.leave();
    waits(await two.lock('s', asks(b, 1)));
    await quiet();
    assert.deepEqual(hints, []);
  },
  'those who watch hear of appends and replacements': async (place) => {
    const { one, two } = place;
    const hints: Hint[] = [];
    const watching = await member(two, hints);
    await watching.watch(['s', 't']);
    const token = await begin(one, 's', 1);
    await begin(one, 'other', 1);
    await until(place, () => hints.length > 0);
    appended(
      await one.replace(
        't',
        { records: [{ position: at(1), kind: 'snapshot', bytes: bytesOf('t') }], createdAt: 1, expiry: {}, token },
        undefined,
      ),
    );
    await until(place, () => hints.length > 1);
    assert.deepEqual(kinds(hints), ['changed s', 'changed t']);
  },
  'a watch takes the place of the one before': async (place) => {
    const { one, two } = place;
    const hints: Hint[] = [];
    const watching = await member(two, hints);
    const token = await begin(one, 's', 1);
    await begin(one, 't', 1);
    await watching.watch(['s']);
    await watching.watch(['t']);
    appended(await one.append('s', record(2, token)));
    appended(await one.append('t', record(2, token)));
    await until(place, () => hints.length > 0);
    await watching.watch('all');
    appended(await one.append('s', record(3, token)));
    await until(place, () => hints.length > 1);
    await watching.watch([]);
    appended(await one.append('t', record(3, token)));
    await quiet();
    assert.deepEqual(kinds(hints), ['changed t', 'changed s']);
  },
  'nothing is heard of what changed nothing': async ({ one, two }) => {
    const token = await begin(one, 's', 2);
    const hints: Hint[] = [];
    const watching = await member(two, hints);
    await watching.watch('all');
    await one.append('s', record(2, token));
    await one.append('s', record(2, token, { position: at(2, 5) }));
    await one.read('s', { since: at(1) });
    await quiet();
    assert.deepEqual(hints, []);
  },
  'a store that cannot watch says so': async ({ one }) => {
    const joined = await member(one);
    if (one.can.watch) await joined.watch([]);
    else await rejects(joined.watch(['s']), 'ERR_INVALID');
  },
};
