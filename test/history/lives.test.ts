import { describe } from 'vitest';
import type { Answer, AppendRequest, Request } from '../../ts/history/mark.ts';
import { EXACT, testAllowed, testPairs } from './pairs.ts';
import type { Allowed, Pair } from './pairs.ts';
import { ID, WALL, appended, ask, at, end, granted, head, idle, lock, record, refused, tail } from './story.ts';
import type { Story } from './story.ts';

const TOUCH: Request = { op: 'touch', token: 1, renew: false };
const touch = (idleMs: number): Request => ({ ...TOUCH, ...idle(idleMs) });
const TOUCHED: Answer = { op: 'touch', touched: true };
const begins = (revision: number, more: Partial<AppendRequest> = {}): AppendRequest =>
  record(revision, { kind: 'snapshot', ...more });
const loses = (story: Story, request: Request): void => story.fails(story.call(request), 'unknown');

/** It ends and expires. */
function passesAway(story: Story): void {
  story.appends(record(1, idle(50)), end(2));
  story.pass(100);
}

/** What a lost call may have begun anew is found alive. */
function livesAgain(story: Story): void {
  passesAway(story);
  loses(story, begins(3, idle(50)));
  story.does(TOUCH, TOUCHED);
}

/** A beginning of which nobody hears comes late, and the session is looked at long after. */
function beginsUnheard(story: Story, rule: Partial<AppendRequest>): void {
  story.appends(record(1, idle(50)));
  story.pass(100);
  loses(story, begins(2, rule));
  story.pass(5000);
  story.reads(tail(head(2)));
}

/** A rule of 9 s is lost, one of 100 ms acknowledged; then the first is heard of. */
function settlesLate(story: Story, again: AppendRequest): void {
  const first = record(2, idle(9000));
  story.appends(record(1));
  loses(story, first);
  story.pass(1500);
  story.reads(tail(head(2)));
  story.does(touch(100), TOUCHED);
  story.appends(first, again);
  story.pass(200);
  story.reads(tail(head(again.position.revision, { state: 'expired' })));
}

function placesAgain(story: Story): void {
  const image: Request = {
    op: 'replace',
    records: [{ position: at(1), kind: 'snapshot', digest: 1 }],
    token: 1,
    createdAt: WALL,
    expiry: { idleMs: 9000 },
  };
  const answer: Answer = { op: 'replace', appended: true, token: 2 };
  story.does(image, answer);
  story.does({ ...touch(100), token: 2 } as Request, TOUCHED);
  story.does(image, answer);
  story.pass(200);
  story.reads(tail(head(1, { state: 'expired', token: 2 })));
}

const EXPIRED = head(1, { state: 'expired', token: 2 });

/** A member that has the lock asks with the same ticket for an append. */
function asksAgain(story: Story, answer: Answer | undefined): void {
  story.appends(record(1, idle(5)));
  story.pass(10);
  story.does(lock('a', 1, 1000), granted(2, 1000, tail(EXPIRED)));
  const call = story.call(record(2, { under: ask('a', 1, 1000), lock: 'release' }));
  if (answer !== undefined) story.answer(call, answer);
  story.does(lock('b'), granted(4, 100, tail({ ...EXPIRED, token: 4 })));
}

const kept: Answer = { ...refused(EXPIRED), grant: { token: 2, leaseLeftMs: 900 } } as Answer;

const LIVES: readonly Pair[] = [
  {
    about: 'a touch finds it alive after its end has expired, and nobody began it anew',
    kind: 'resurrected session',
    wrong: (story) => (passesAway(story), story.does(TOUCH, TOUCHED)),
    right: livesAgain,
    options: EXACT,
  },
  {
    about: 'what a lost call may have begun anew is seen, or the end itself',
    kind: 'resurrected session',
    wrong: (story) => (livesAgain(story), story.reads(tail(head(2)))),
    right: (story) => (livesAgain(story), story.reads(tail(head(3)))),
    options: EXACT,
  },
  {
    about: 'a delta follows what a lost call may have begun anew, or a delta after the end',
    kind: 'resurrected session',
    wrong: (story) => (passesAway(story), story.call(record(3)), story.appends(record(4))),
    right: (story) => (passesAway(story), story.call(begins(3)), story.appends(record(4))),
    options: EXACT,
  },
  {
    about: 'begun anew by a lost call with a rule; one without never expires',
    kind: 'served though expired',
    wrong: (story) => beginsUnheard(story, idle(50)),
    right: (story) => beginsUnheard(story, {}),
    options: EXACT,
  },
  {
    about: 'the rule of a record that is offered again may be older than another, that of a new one is the last',
    kind: 'expired too early',
    wrong: (story) => settlesLate(story, record(3, idle(9000))),
    right: (story) => settlesLate(story, record(2, idle(9000))),
    options: EXACT,
  },
  {
    about: 'an append asks with the ticket of a grant, which stays, or goes back',
    kind: 'lock held by two',
    wrong: (story) => asksAgain(story, kept),
    right: (story) => asksAgain(story, refused(EXPIRED)),
    options: EXACT,
  },
];

const LIVES_ALLOWED: readonly Allowed[] = [
  {
    about: 'it ended, expired and lives again, as the product leaves it: the default options',
    told: (story) => {
      story.appends(record(1, idle(5000)), end(2));
      story.pass(6000);
      story.reads(tail(head(2, { state: 'expired' })));
      loses(story, begins(3, { begins: true, ...idle(5000) }));
      story.does(TOUCH, TOUCHED);
      story.reads(tail(head(3)));
      return [story.final(head(3))];
    },
  },
  {
    about: 'it was swept and lives again from revision 1, as a touch was the first to find',
    told: (story) => {
      story.appends(record(1, idle(50)), record(2));
      story.pass(100);
      loses(story, record(1, { position: at(1, 1), ...idle(50) }));
      story.does(TOUCH, TOUCHED);
      story.reads(tail(head(1, { position: at(1, 1) })));
      return [story.final(head(1, { position: at(1, 1) }))];
    },
    options: EXACT,
  },
  {
    about: 'a touch is heard of after the acknowledgement of what began it anew',
    told: (story) => {
      passesAway(story);
      const call = story.call(TOUCH);
      story.appends(begins(3));
      story.answer(call, TOUCHED);
    },
    options: EXACT,
  },
  {
    about: 'what began it anew is seen first, and acknowledged then',
    told: (story) => {
      livesAgain(story);
      story.reads(tail(head(3)));
      story.appends(begins(3, idle(50)));
    },
    options: EXACT,
  },
  {
    about: 'an image that is offered again is found in place, with the rule that came since',
    told: placesAgain,
    options: EXACT,
  },
  {
    about: 'a lost call that dates the session back comes after the one that began it',
    told: (story) => {
      const first = story.call(record(1, { expiry: { ageMs: 1000 } }));
      loses(story, begins(2, { createdAt: WALL - 900, expiry: { ageMs: 1000 } }));
      story.answer(first, appended());
      story.pass(200);
      story.reads(tail(head(2, { state: 'expired' })));
    },
    options: EXACT,
  },
  {
    about: 'an append that asks with the ticket of a grant is not answered',
    told: (story) => asksAgain(story, undefined),
    options: EXACT,
  },
];

const ANSWERS: readonly Pair[] = [
  {
    about: 'a record is offered again with other bytes',
    kind: 'doubled',
    wrong: (story) => (story.appends(record(1)), loses(story, record(2)), story.appends(record(2, { digest: 77 }))),
    right: (story) => (story.appends(record(1)), loses(story, record(2)), story.appends(record(2))),
  },
  {
    about: 'a refusal tells a token that falls',
    kind: 'head went back',
    wrong: (story) => outdates(story, 0),
    right: (story) => outdates(story, 2),
  },
  {
    about: 'a listing omits a session that lives',
    kind: 'stale read',
    wrong: (story) => (story.appends(record(1)), lists(story, [], [])),
    right: (story) => (story.appends(record(1)), lists(story, [], [ID])),
  },
  {
    about: 'a listing omits a session that cannot have expired yet',
    kind: 'stale read',
    wrong: (story) => (story.appends(record(1, idle(500))), lists(story, [])),
    right: (story) => (story.appends(record(1, idle(500))), story.pass(600), lists(story, [])),
    options: EXACT,
  },
];

/** A writer is refused because a lock was granted, with this token. */
function outdates(story: Story, token: number): void {
  story.appends(record(1));
  story.does(lock('a'), granted(2, 100, tail(head(1, { token: 2 }))));
  story.does(record(2), { ...refused(head(1, { token: 2 }), 'fenced'), token } as Answer);
}

/** A listing of so many pages. */
function lists(story: Story, ...pages: readonly (readonly string[])[]): void {
  pages.forEach((ids, i) => {
    const cursor = i + 1 < pages.length ? { cursor: `${i + 1}` } : {};
    story.asks({ op: 'list', limit: 1, ...(i > 0 && { cursor: `${i}` }) }, { op: 'list', ids, ...cursor });
  });
}

const LISTS_ALLOWED: readonly Allowed[] = [
  {
    about: 'a session begins while a listing is under way',
    told: (story) => {
      story.asks({ op: 'list', limit: 1 }, { op: 'list', ids: [], cursor: '1' });
      story.appends(record(1));
      story.asks({ op: 'list', limit: 1, cursor: '1' }, { op: 'list', ids: [] });
    },
  },
  {
    about: 'a listing is of those with a term',
    told: (story) => (
      story.appends(record(1)),
      story.asks({ op: 'list', limit: 9, byTerm: true }, { op: 'list', ids: [] })
    ),
  },
  {
    about: 'a listing goes on that nobody saw begin',
    told: (story) => (
      story.appends(record(1)),
      story.asks({ op: 'list', limit: 9, cursor: 'x' }, { op: 'list', ids: [] })
    ),
  },
  {
    about: 'a session may have ended',
    told: (story) => (story.appends(record(1)), loses(story, end(2)), lists(story, [])),
  },
  { about: 'nobody knows whether a session began', told: (story) => (loses(story, record(1)), lists(story, [])) },
  {
    about: 'an image may have taken the place of a session',
    told: (story) => {
      story.appends(record(1));
      loses(story, {
        op: 'replace',
        records: [{ position: at(2), kind: 'end', digest: 2 }],
        token: 1,
        createdAt: WALL,
        expiry: {},
      });
      lists(story, []);
    },
  },
];

describe('lives of a session', () => testPairs(LIVES));
describe('answers', () => testPairs(ANSWERS));
describe('nothing is found where', () => testAllowed([...LIVES_ALLOWED, ...LISTS_ALLOWED]));
