import { describe, expect, it } from 'vitest';
import type { CheckOptions, Final } from '../../ts/history/check.ts';
import type { AppendRequest } from '../../ts/history/mark.ts';
import { ORIGIN } from '../../ts/position.ts';
import { floorOf } from '../../ts/token.ts';
import { EXACT, testAllowed, testPairs, verdict } from './pairs.ts';
import type { Allowed, Pair } from './pairs.ts';
import { ID, WALL, appended, ask, at, end, granted, head, idle, lock, record, refused, tail } from './story.ts';
import type { Story } from './story.ts';

const STORE_LEVEL: readonly Pair[] = [
  {
    about: 'the last of two records is gone at the end',
    kind: 'acknowledged and missing',
    wrong: (story) => (story.appends(record(1), record(2)), [story.final(head(1))]),
    right: (story) => (story.appends(record(1)), story.fails(story.call(record(2)), 'unknown'), [story.final(head(1))]),
  },
  {
    about: 'a record in the middle of the chain is another',
    kind: 'acknowledged and missing',
    wrong: (story) => {
      story.appends(record(1), record(2));
      story.call(record(2, { position: at(2, 1) }));
      story.call(record(3, { parent: at(2, 1) }));
      return [story.final(head(3))];
    },
    right: (story) => (story.appends(record(1), record(2)), story.call(record(3)), [story.final(head(3))]),
  },
  {
    about: 'all is gone, and no expiry had come',
    kind: 'acknowledged and missing',
    wrong: (story) => (story.appends(record(1, idle(500))), story.pass(100), [story.final(undefined)]),
    right: (story) => (story.appends(record(1, idle(50))), story.pass(100), [story.final(undefined)]),
    options: EXACT,
  },
  {
    about: 'an image for an older head takes the place of acknowledged records',
    kind: 'acknowledged and missing',
    wrong: (story) => {
      story.appends(record(1), record(2), record(3));
      replaces(story, at(2));
      return [story.final(head(2, { token: 2 }))];
    },
    right: (story) => {
      story.appends(record(1), record(2), record(3));
      replaces(story, at(3));
      return [story.final(head(2, { token: 2 }))];
    },
  },
  {
    about: 'a refused record is there',
    kind: 'failed and present',
    wrong: (story) => {
      story.appends(record(1));
      story.does(record(2), refused(head(1), 'fenced'));
      return [story.final(head(2))];
    },
    right: (story) => {
      story.appends(record(1));
      story.does(record(2), refused(head(1), 'fenced'));
      story.appends(record(2));
      return [story.final(head(2))];
    },
  },
  {
    about: 'a call that failed had written, as a read shows',
    kind: 'failed and present',
    wrong: (story) => (
      story.appends(record(1)),
      story.fails(story.call(record(2)), 'failed'),
      story.reads(tail(head(2)))
    ),
    right: (story) => (
      story.appends(record(1)),
      story.fails(story.call(record(2)), 'unknown'),
      story.reads(tail(head(2)))
    ),
  },
  {
    about: 'a record is refused when it is offered again, and is in sight',
    kind: 'failed and present',
    wrong: (story) => (
      story.appends(record(1), record(2), record(3)),
      story.does(record(2), refused(head(3), 'conflict', [2, 3]))
    ),
    right: (story) => (
      story.appends(record(1), record(2), record(3, { kind: 'snapshot' })),
      story.does(record(2), refused(head(3, { first: 3, snapshot: 3 }), 'conflict', [2, 3]))
    ),
  },
  {
    about: 'two records follow one',
    kind: 'doubled',
    wrong: (story) => story.appends(record(1), record(2), record(2, { position: at(2, 1) })),
    right: (story) => story.appends(record(1), record(2), record(2)),
  },
  {
    about: 'two records follow one, and only a read shows the second',
    kind: 'doubled',
    wrong: (story) => (
      story.appends(record(1), record(2)),
      story.call(record(2, { position: at(2, 1) })),
      story.reads(tail(head(2, { position: at(2, 1) })))
    ),
    right: (story) => (
      story.appends(record(1)),
      story.call(record(2, { position: at(2, 1) })),
      story.reads(tail(head(2, { position: at(2, 1) })))
    ),
  },
  {
    about: 'a record stands a second time on top of itself',
    kind: 'doubled',
    wrong: (story) => (
      story.appends(record(1)),
      story.reads(tail(head(2, { position: { revision: 2, nonce: at(1).nonce } })))
    ),
    right: (story) => (story.appends(record(1), record(2)), story.reads(tail(head(2)))),
  },
  {
    about: 'a head that nobody wrote',
    kind: 'broken chain',
    wrong: (story) => (story.appends(record(1)), story.reads(tail(head(2)))),
    right: (story) => (story.appends(record(1)), story.call(record(2)), story.reads(tail(head(2)))),
  },
  {
    about: 'a record that is read otherwise than it was written',
    kind: 'broken chain',
    wrong: (story) => (story.appends(record(1), record(2)), story.reads(tail(head(2), [1, 77]))),
    right: (story) => (story.appends(record(1), record(2)), story.reads(tail(head(2), [1, 2]))),
  },
  {
    about: 'a hole between the records of an answer',
    kind: 'broken chain',
    wrong: (story) => (story.appends(record(1), record(2), record(3)), story.reads(tail(head(3), [1, 3]))),
    right: (story) => (
      story.appends(record(1), record(2), record(3)),
      story.reads({ head: head(3), records: [1, 2], whole: true, next: at(2) })
    ),
  },
  {
    about: 'a record that follows nothing',
    kind: 'broken chain',
    wrong: (story) => story.appends(record(1), record(3)),
    right: (story) => (story.appends(record(1)), story.call(record(2)), story.appends(record(3))),
  },
  {
    about: 'a read that begins after an acknowledgement and misses it',
    kind: 'stale read',
    wrong: (story) => (story.appends(record(1), record(2)), story.reads(tail(head(1)))),
    right: (story) => {
      story.appends(record(1));
      const read = story.call({ op: 'read', since: ORIGIN, limitBytes: 0 });
      story.appends(record(2));
      story.answer(read, { op: 'read', tail: tail(head(1)) });
    },
  },
  {
    about: 'a lock whose tail misses what was acknowledged',
    kind: 'stale read',
    wrong: (story) => (
      story.appends(record(1), record(2)),
      story.does(lock('a'), granted(2, 100, tail(head(1, { token: 2 }))))
    ),
    right: (story) => (
      story.appends(record(1), record(2)),
      story.does(lock('a'), granted(2, 100, tail(head(2, { token: 2 }))))
    ),
  },
  {
    about: 'an older image is no stale read, another read is',
    kind: 'stale read',
    wrong: (story) => (story.appends(record(1), record(2)), story.reads(tail(head(1))), replaces(story, undefined, 1)),
    right: (story) => (
      story.appends(record(1), record(2)),
      replaces(story, undefined, 1),
      story.reads(tail(head(1, { token: 2 })))
    ),
  },
  {
    about: 'a record accepted below one that was acknowledged before',
    kind: 'wrong order',
    wrong: (story) => (
      story.appends(record(1), record(2), record(3)),
      story.appends(record(2, { position: at(2, 1), parent: at(1) }))
    ),
    right: (story) => {
      story.appends(record(1));
      const second = story.call(record(2));
      story.appends(record(3));
      story.answer(second, appended());
    },
  },
  {
    about: 'a delta after the end',
    kind: 'resurrected session',
    wrong: (story) => story.appends(record(1), end(2), record(3)),
    right: (story) => {
      story.appends(record(1));
      const late = story.call(end(3));
      story.appends(record(2));
      story.answer(late, appended());
    },
  },
  {
    about: 'a read shows it alive after its end',
    kind: 'resurrected session',
    wrong: (story) => (story.appends(record(1), end(2)), story.reads(tail(head(2)))),
    right: (story) => (story.appends(record(1), end(2)), story.reads(tail(head(2, { state: 'ended' })))),
  },
  {
    about: 'an end that is gone before it could expire',
    kind: 'resurrected session',
    wrong: (story) => (story.appends(record(1), end(2)), story.reads(tail(undefined))),
    right: (story) => (story.appends(record(1, idle(50)), end(2)), story.pass(100), story.reads(tail(undefined))),
    options: EXACT,
  },
  {
    about: 'a delta on a session that was seen expired',
    kind: 'resurrected session',
    wrong: (story) => expires(story, record(2)),
    right: (story) => expires(story, record(2, { kind: 'snapshot' })),
    options: EXACT,
  },
  {
    about: 'a touch brings it back from expiry',
    kind: 'resurrected session',
    wrong: (story) => (expires(story), story.reads(tail(head(1)))),
    right: (story) => (expires(story), story.call(record(2, { kind: 'snapshot' })), story.reads(tail(head(2)))),
    options: EXACT,
  },
  {
    about: 'a lease that has not ended',
    kind: 'lock held by two',
    wrong: (story) => (story.does(lock('a'), granted(1, 100)), story.pass(50), story.does(lock('b'), granted(2, 100))),
    right: (story) => (story.does(lock('a'), granted(1, 100)), story.pass(100), story.does(lock('b'), granted(2, 100))),
  },
  {
    about: 'a lease that was renewed',
    kind: 'lock held by two',
    wrong: (story) => (renews(story), story.pass(60), takes(story, 2)),
    right: (story) => (renews(story), story.call({ op: 'unlock', by: { token: 1 } }), story.pass(60), takes(story, 3)),
  },
  {
    about: 'the grant that came first is heard of last',
    kind: 'lock held by two',
    wrong: (story) => grantsCrossed(story),
    right: (story) => grantsCrossed(story, () => story.call({ op: 'unlock', by: { member: 'a', ticket: 1 } })),
  },
  {
    about: 'a promotion ends leases, nothing else does',
    kind: 'lock held by two',
    wrong: (story) => (story.does(lock('a'), granted(1, 100)), story.does(lock('b'), granted(2, 100))),
    right: (story) => {
      story.does(lock('a'), granted(1, 100));
      story.asks({ op: 'promote', above: 0 }, { op: 'promote', epoch: 1 });
      story.does(lock('b'), granted(floorOf(1) + 1, 100));
    },
  },
  {
    about: 'an append under a token that was outdated when it was sent',
    kind: 'old token accepted',
    wrong: (story) => (
      story.appends(record(1)),
      story.does(lock('a'), granted(2, 100, tail(head(1, { token: 2 })))),
      story.appends(record(2))
    ),
    right: (story) => {
      story.appends(record(1));
      const append = story.call(record(2));
      story.does(lock('a'), granted(2, 100, tail(head(1, { token: 2 }))));
      story.answer(append, appended());
    },
  },
  {
    about: 'an append under the epoch before a promotion',
    kind: 'old token accepted',
    wrong: (story) => (promotes(story), story.appends(record(2))),
    right: (story) => (promotes(story), story.appends(record(2, { under: floorOf(1) }))),
  },
  {
    about: 'a touch with a new rule under an outdated token',
    kind: 'old token accepted',
    wrong: (story) => touches(story, { idleMs: 1000 }),
    right: (story) => touches(story, undefined),
  },
  {
    about: 'an append that is offered again after the token was outdated',
    kind: 'old token accepted',
    wrong: (story) => (outdates(story), story.appends(record(2))),
    right: (story) => (outdates(story, () => story.fails(story.call(record(2)), 'unknown')), story.appends(record(2))),
  },
  {
    about: 'one token for two members',
    kind: 'token granted twice',
    wrong: (story) => (story.does(lock('a'), granted(1, 10)), story.pass(100), story.does(lock('b'), granted(1, 10))),
    right: (story) => (story.does(lock('a'), granted(1, 10)), story.pass(100), story.does(lock('a'), granted(1, 10))),
  },
  {
    about: 'a token that was reached before',
    kind: 'token granted twice',
    wrong: (story) => (
      story.appends(record(1, { under: 5 })),
      story.does(lock('a'), granted(5, 10, tail(head(1, { token: 5 }))))
    ),
    right: (story) => {
      const lost = story.call(lock('a'));
      story.appends(record(1, { under: 5 }));
      story.fails(lost, 'unknown');
      story.does(lock('a'), granted(5, 10, tail(head(1, { token: 5 }))));
    },
  },
  {
    about: 'an end that nobody wrote',
    kind: 'destroyed by nobody',
    wrong: (story) => (story.appends(record(1)), story.call(record(2)), story.reads(tail(head(2, { state: 'ended' })))),
    right: (story) => (story.appends(record(1)), story.call(end(2)), story.reads(tail(head(2, { state: 'ended' })))),
  },
  {
    about: 'what was seen, though never acknowledged, is gone',
    kind: 'head went back',
    wrong: (story) => (
      story.appends(record(1)),
      story.call(record(2)),
      story.reads(tail(head(2))),
      story.reads(tail(head(1)))
    ),
    right: (story) => (
      story.appends(record(1)),
      story.call(record(2)),
      story.reads(tail(head(1))),
      story.reads(tail(head(2)))
    ),
  },
  {
    about: 'a token that falls',
    kind: 'head went back',
    wrong: (story) => (
      story.appends(record(1)),
      story.reads(tail(head(1, { token: 3 }))),
      story.reads(tail(head(1, { token: 2 })))
    ),
    right: (story) => (
      story.appends(record(1)),
      story.reads(tail(head(1, { token: 2 }))),
      story.reads(tail(head(1, { token: 3 })))
    ),
  },
  {
    about: 'an epoch that falls',
    kind: 'head went back',
    wrong: (story) => (promotes(story), story.asks({ op: 'ping' }, { op: 'ping', epoch: 0 })),
    right: (story) => (promotes(story), story.asks({ op: 'ping' }, { op: 'ping', epoch: 1 })),
  },
  {
    about: 'expired although it had been touched in time',
    kind: 'expired too early',
    wrong: (story) => expiresAfterTouch(story, 90),
    right: (story) => expiresAfterTouch(story, 110),
    options: EXACT,
  },
  {
    about: 'expired by a rule that is no more; a shorter one may have come',
    kind: 'expired too early',
    wrong: (story) => expiresByRule(story, 1000),
    right: (story) => expiresByRule(story, 50),
    options: EXACT,
  },
  {
    about: 'served after its time; a touch that may still have come keeps it alive',
    kind: 'served though expired',
    wrong: (story) => (story.appends(record(1, idle(100))), story.pass(200), story.reads(tail(head(1)))),
    right: (story) => {
      story.appends(record(1, idle(100)));
      story.fails(story.call({ op: 'touch', token: 1, renew: false }), 'unknown');
      story.pass(200);
      story.reads(tail(head(1)));
    },
    options: EXACT,
  },
  {
    about: 'served beyond its age, however often it was used',
    kind: 'served though expired',
    wrong: (story) => ages(story, 150),
    right: (story) => ages(story, 300),
    options: EXACT,
  },
];

/** What the checker must not take for a fault, though it looks like one. */
const ALLOWED: readonly Allowed[] = [
  {
    about: 'the answers of two images cross: the higher token came last',
    told: (story) => {
      story.appends(record(1), record(2), record(3));
      const [first, second] = [sendsImage(story, 1), sendsImage(story, 2)];
      story.answer(second, { op: 'replace', appended: true, token: 3 });
      story.answer(first, { op: 'replace', appended: true, token: 2 });
      story.appends(record(3, { position: at(3, 1), under: 3 }));
      return [story.final(head(3, { position: at(3, 1), token: 3 }))];
    },
  },
  {
    about: 'an image of unknown outcome may have come or not',
    told: (story) => {
      story.appends(record(1), record(2), record(3));
      story.fails(sendsImage(story, 1), 'unknown');
      story.reads(tail(head(3)));
      story.reads(tail(head(1, { token: 2 })));
      return [story.final(head(1, { token: 2 }))];
    },
  },
  {
    about: 'a refused record comes late, when an image has brought its parent back',
    told: (story) => {
      story.appends(record(1));
      const late = record(2, { position: at(2, 1), under: ask('a') });
      story.fails(story.call(late), 'unknown');
      story.appends(record(2), record(3));
      story.does(late, refused(head(3), 'conflict', [2, 3]));
      story.answer(sendsImage(story, 1), { op: 'replace', appended: true, token: 2 });
      story.reads(tail(head(2, { position: at(2, 1), token: 3 })));
    },
  },
  {
    about: 'an ended session expires and begins anew, as a read shows before the writer knows',
    told: (story) => {
      story.appends(record(1, idle(50)), end(2));
      story.pass(100);
      story.call(record(3, { kind: 'snapshot' }));
      story.reads(tail(head(3)));
      story.appends(record(4));
      return [story.final(head(4), [])];
    },
    options: EXACT,
  },
  {
    about: 'a session expires, is swept and begins with revision 1',
    told: (story) => {
      story.appends(record(1, idle(50)), record(2));
      story.pass(100);
      story.reads(tail(undefined));
      story.appends(record(1, { position: at(1, 1) }), record(2, { position: at(2, 1), parent: at(1, 1) }));
      return [story.final(head(2, { position: at(2, 1) }))];
    },
    options: EXACT,
  },
  {
    about: 'what an unknown offer may have written is compacted out of sight when it is refused',
    told: (story) => {
      story.appends(record(1));
      story.fails(story.call(record(2)), 'unknown');
      story.call(record(3, { kind: 'snapshot' }));
      story.does(record(2), refused(head(3, { first: 3, snapshot: 3 }), 'conflict', [3], true));
      return [story.final(head(3, { first: 3, snapshot: 3 }))];
    },
  },
  {
    about: 'a backup refuses a record while it lacks the one before, and takes it from another feeder',
    told: (story) => {
      story.appends(record(1));
      const early = story.call(record(3));
      story.appends(record(2), record(3));
      story.answer(early, refused(head(1), 'conflict', [1], true));
      return [story.final(head(3))];
    },
  },
  {
    about: 'what is asked of an old id is done to the new one',
    told: (story) => {
      story.adds([], 'a');
      story.done(story.use({ ends: 'change', to: 'new', graceMs: 1000 }));
      story.done(story.use({ ends: 'delete' }));
      return [story.final(head(2, { state: 'ended' }), []), story.final(head(2, { state: 'ended' }), [], 'new')];
    },
  },
  {
    about: 'two ids were given to each other',
    told: (story) => {
      story.adds([], 'a');
      story.done(story.use({ ends: 'change', to: 'new' }));
      story.done(story.use({ id: 'new', ends: 'change', to: ID }), 'unknown');
      return [story.final(head(2, { state: 'ended' }), []), story.final(head(1), ['a'], 'new')];
    },
  },
  {
    about: 'lists of different stores are of different worlds',
    told: (story) => {
      story.adds([], 'a', 'b');
      const use = story.use({ store: 'promoted' });
      story.saw(use, ['a']);
      story.put(use, 'c');
      story.kept(1, ['b'], 'superseded');
      story.done(use, 'ok', 2);
      return [{ ...story.final(head(3), ['a', 'c']), store: 'promoted' }];
    },
  },
  {
    about: 'a newer request of the same member takes the place of its older grant',
    told: (story) => {
      story.does(lock('a'), granted(1, 1000));
      story.fails(story.call(record(1, { under: ask('a', 2), lock: 'release' })), 'unknown');
      story.does(lock('b'), granted(4, 100));
    },
  },
];

function sendsImage(story: Story, revisions: number): number {
  const records = Array.from({ length: revisions }, (_, i) => ({
    position: at(i + 1),
    kind: i === 0 ? ('snapshot' as const) : ('delta' as const),
    digest: i + 1,
  }));
  return story.call({ op: 'replace', records, token: 1, createdAt: WALL, expiry: {} });
}

function replaces(story: Story, expected: { revision: number; nonce: number } | undefined, revisions = 2): void {
  const records = Array.from({ length: revisions }, (_, i) => ({
    position: at(i + 1),
    kind: i === 0 ? ('snapshot' as const) : ('delta' as const),
    digest: i + 1,
  }));
  story.does(
    { op: 'replace', records, expected, token: 1, createdAt: WALL, expiry: {} },
    { op: 'replace', appended: true, token: 2 },
  );
}

function expires(story: Story, ...then: readonly AppendRequest[]): void {
  story.appends(record(1, idle(50)));
  story.pass(100);
  story.reads(tail(head(1, { state: 'expired' })));
  story.appends(...then);
}

function renews(story: Story): void {
  story.appends(record(1, { under: 0 }));
  story.does(lock('a'), granted(1, 100, tail(head(1))));
  story.pass(60);
  story.does({ op: 'touch', token: 1, renew: true }, { op: 'touch', touched: true });
}

function takes(story: Story, token: number): void {
  story.does(lock('b'), granted(token, 100, tail(head(1, { token }))));
}

function grantsCrossed(story: Story, between: () => void = () => undefined): void {
  const first = story.call(lock('a'));
  between();
  story.does(lock('b'), granted(2, 100));
  story.answer(first, granted(1, 100));
}

function promotes(story: Story): void {
  story.appends(record(1));
  story.asks({ op: 'promote', above: 0 }, { op: 'promote', epoch: 1 });
}

function touches(story: Story, expiry: { idleMs: number } | undefined): void {
  story.appends(record(1));
  story.does(lock('a'), granted(2, 100, tail(head(1, { token: 2 }))));
  story.does({ op: 'touch', token: 1, renew: false, expiry }, { op: 'touch', touched: true });
}

function outdates(story: Story, before: () => void = () => undefined): void {
  story.appends(record(1));
  before();
  story.does(lock('a'), granted(2, 100, tail(head(1, { token: 2 }))));
}

function expiresAfterTouch(story: Story, ms: number): void {
  story.appends(record(1, idle(100)));
  story.pass(80);
  story.does({ op: 'touch', token: 1, renew: false }, { op: 'touch', touched: true });
  story.pass(ms);
  story.reads(tail(head(1, { state: 'expired' })));
}

function expiresByRule(story: Story, idleMs: number): void {
  story.appends(record(1, idle(50)));
  story.does({ op: 'touch', token: 1, renew: false, expiry: { idleMs: 500 } }, { op: 'touch', touched: true });
  story.call({ op: 'touch', token: 1, renew: false, expiry: { idleMs } });
  story.pass(100);
  story.reads(tail(head(1, { state: 'expired' })));
}

function ages(story: Story, ageMs: number): void {
  story.appends(record(1, { expiry: { idleMs: 120, ageMs } }));
  for (let i = 0; i < 2; i += 1) {
    story.pass(100);
    story.does({ op: 'touch', token: 1, renew: false }, { op: 'touch', touched: true });
  }
}

const USE_LEVEL: readonly Pair[] = [
  {
    about: 'a key is missing at the end',
    kind: 'acknowledged and missing',
    wrong: (story) => (story.adds([], 'a'), [story.final(head(1), [])]),
    right: (story) => {
      story.adds([], 'a');
      story.kept(1, ['a'], 'superseded');
      return [story.final(head(1), [])];
    },
  },
  {
    about: 'a key is missing in a session that was not deleted',
    kind: 'acknowledged and missing',
    wrong: (story) => (
      story.adds([], 'a'),
      story.done(story.use({ ends: 'delete' }), 'failed'),
      [story.final(head(1), [])]
    ),
    right: (story) => (
      story.adds([], 'a'),
      story.done(story.use({ ends: 'delete' })),
      [story.final(head(2, { state: 'ended' }), [])]
    ),
  },
  {
    about: 'a key that a new id should have taken over',
    kind: 'acknowledged and missing',
    wrong: (story) => moves(story, []),
    right: (story) => moves(story, ['a']),
  },
  {
    about: 'a key that a restore did not take away',
    kind: 'acknowledged and missing',
    wrong: (story) => (restores(story), story.adds([], 'b'), [story.final(head(1), [])]),
    right: (story) => (story.adds([], 'b'), restores(story), [story.final(head(1), [])]),
  },
  {
    about: 'a key is there though its use failed',
    kind: 'failed and present',
    wrong: (story) => (fails(story, 'failed'), [story.final(head(1), ['a'])]),
    right: (story) => (fails(story, 'unknown'), [story.final(head(1), ['a'])]),
  },
  {
    about: 'a key is there twice',
    kind: 'doubled',
    wrong: (story) => (story.adds([], 'a'), [story.final(head(1), ['a', 'a'])]),
    right: (story) => (story.adds([], 'a'), [story.final(head(1), ['a'])]),
  },
  {
    about: 'a key that nobody put',
    kind: 'broken chain',
    wrong: (story) => (story.adds([], 'a'), [story.final(head(1), ['a', 'b'])]),
    right: (story) => (story.adds([], 'a', 'b'), [story.final(head(1), ['a', 'b'])]),
  },
  {
    about: 'a use misses what was acknowledged before it began',
    kind: 'stale read',
    wrong: (story) => (story.adds([], 'a'), story.adds(['a'], 'b'), story.saw(story.use(), ['a'])),
    right: (story) => {
      story.adds([], 'a');
      const use = story.use();
      story.adds(['a'], 'b');
      story.saw(use, ['a']);
    },
  },
  {
    about: 'a use finds nothing where nobody ended anything',
    kind: 'stale read',
    wrong: (story) => (story.adds([], 'a'), story.saw(story.use(), undefined)),
    right: (story) => (story.adds([], 'a'), story.use({ ends: 'delete' }), story.saw(story.use(), undefined)),
  },
  {
    about: 'a list that is not the beginning of the last one',
    kind: 'wrong order',
    wrong: (story) => (story.adds([], 'a', 'b'), story.adds(['b', 'a'], 'c'), [story.final(head(1), ['a', 'b', 'c'])]),
    right: (story) => (story.adds([], 'a', 'b'), story.adds(['a', 'b'], 'c'), [story.final(head(1), ['a', 'b', 'c'])]),
  },
  {
    about: 'the end of a list is compared at its place',
    kind: 'wrong order',
    wrong: (story) => sawEnd(story, 0),
    right: (story) => sawEnd(story, 1),
  },
  {
    about: 'a use sees a session after its deletion',
    kind: 'resurrected session',
    wrong: (story) => (story.adds([], 'a'), story.done(story.use({ ends: 'delete' })), story.saw(story.use(), ['a'])),
    right: (story) => {
      story.adds([], 'a');
      const late = story.use();
      story.done(story.use({ ends: 'delete' }));
      story.saw(late, ['a']);
    },
  },
  {
    about: 'an old id finds the session after its grace',
    kind: 'resurrected session',
    wrong: (story) => graces(story, 60),
    right: (story) => graces(story, 40),
  },
  {
    about: 'it has ended and no use asked for it',
    kind: 'destroyed by nobody',
    wrong: (story) => (story.adds([]), [story.final(head(1, { state: 'ended' }), [])]),
    right: (story) => (story.adds([]), story.use({ ends: 'delete' }), [story.final(head(1, { state: 'ended' }), [])]),
  },
];

function moves(story: Story, keys: readonly string[]): readonly Final[] {
  story.adds([], 'a');
  story.done(story.use({ ends: 'change', to: 'new' }));
  return [story.final(head(2, { state: 'ended' }), []), story.final(head(1), keys, 'new')];
}

function restores(story: Story): void {
  story.done(story.use({ restores: true }));
}

function fails(story: Story, outcome: 'failed' | 'unknown'): void {
  const use = story.use();
  story.put(use, 'a');
  story.done(use, outcome);
}

function sawEnd(story: Story, from: number): readonly Final[] {
  story.adds([], 'a', 'b');
  const use = story.use();
  story.saw(use, ['b'], { from });
  if (from === 0) story.saw(use, ['a', 'b']);
  story.done(use);
  return [story.final(head(1), ['a', 'b'])];
}

function graces(story: Story, ms: number): void {
  story.adds([], 'a');
  story.done(story.use({ ends: 'change', to: 'new', graceMs: 50 }));
  story.pass(ms);
  story.saw(story.use(), ['a'], { id: 'new' });
}

describe.each([
  ['calls of stores', STORE_LEVEL],
  ['uses', USE_LEVEL],
] as const)('%s', (_level, pairs) => testPairs(pairs));

describe('nothing is found where', () => testAllowed(ALLOWED));

describe('a verdict', () => {
  it('counts', () => {
    const { counts } = verdict((story) => {
      story.appends(record(1), record(2), record(2));
      story.does(record(3, { parent: at(1) }), refused(head(2), 'conflict', [2]));
      story.fails(story.call(record(3)), 'unknown');
      story.fails(story.call(record(4)), 'failed');
      story.does(lock('a'), granted(2, 100, tail(head(2, { token: 2 }))));
      story.call({ op: 'inspect' });
      story.adds([], 'a', 'b');
      return [story.final(head(2, { token: 2 }), ['a', 'b'])];
    });
    expect(counts).toEqual({
      marks: 19,
      calls: 8,
      unknown: 2,
      acknowledged: 2,
      refused: 1,
      failed: 1,
      grants: 1,
      uses: 1,
      kept: 2,
    });
  });

  it('is of each store by itself', () => {
    const { findings } = verdict((story) => {
      story.appends(record(1), record(2));
      story.does(record(1), appended(), { store: 'backup' });
      story.does(
        { op: 'read', since: ORIGIN, limitBytes: 0 },
        { op: 'read', tail: tail(head(1)) },
        { store: 'backup' },
      );
    });
    expect(findings).toEqual([]);
  });

  it('names the session, says what, and points at the marks', () => {
    const { findings } = verdict((story) => (story.appends(record(1), record(2)), story.reads(tail(head(1)))));
    expect(findings).toEqual([
      { kind: 'stale read', id: ID, detail: 'read by p shows revision 1, after 2 was acknowledged', marks: [3, 4, 5] },
    ]);
  });

  it('does not judge leases and expiries where clocks jump', () => {
    const jumps: CheckOptions = { leases: false, expiry: false };
    const leases = STORE_LEVEL.filter(({ kind }) => kind === 'lock held by two');
    for (const { wrong } of leases) expect(verdict(wrong, jumps).findings).toEqual([]);
    for (const { wrong, kind } of STORE_LEVEL) {
      if (kind.startsWith('expired') || kind.startsWith('served')) expect(verdict(wrong, jumps).findings).toEqual([]);
    }
  });
});
