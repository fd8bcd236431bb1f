import assert from 'node:assert/strict';
import { ORIGIN } from '../position.ts';
import type { Position } from '../position.ts';
import type { Acquire, Grant } from '../store/lock.ts';
import type {
  Append,
  Appended,
  CallOptions,
  Hint,
  LockReply,
  LockRequest,
  Membership,
  Store,
  Tail,
} from '../store/store.ts';

/** Two connections that see the same sessions, as two processes would, and their time. */
export interface Place {
  readonly one: Store;
  readonly two: Store;
  /** Lets time pass for the stores: on the clock that they were opened with (`VirtualClock.pass`), or by waiting. */
  readonly pass: (ms: number) => Promise<void> | void;
  /**
   * Sets the stores' wall clock, their monotonic clock unnoticed. Absent: the clauses that need it must be skipped with
   * a reason.
   */
  readonly jump?: ((ms: number) => Promise<void> | void) | undefined;
  /** Hints arrive within this; default 2,000 ms. */
  readonly hintMs?: number | undefined;
  readonly cleanUp: () => Promise<void>;
}

/** What a store must keep, by the name of its test. */
export type Clauses = Record<string, (place: Place) => Promise<void>>;

export const LEASE_MS = 1000;
/** What real time may take away. */
const SLACK_MS = 200;
export const HOUR_MS = 3_600_000;

export const at = (revision: number, nonce: number = revision * 1000 + 7): Position => ({ revision, nonce });
export const bytesOf = (text: string): Uint8Array => Buffer.from(text);
export const texts = (records: readonly Uint8Array[]): string[] =>
  records.map((record) => Buffer.from(record).toString());

/** Record `revision` as its writer appends it: a snapshot first, then deltas. */
export function record(revision: number, under: Append['under'], more: Partial<Append> = {}): Append {
  const parent = revision === 1 ? ORIGIN : at(revision - 1);
  return {
    parent,
    position: at(revision),
    kind: revision === 1 ? 'snapshot' : 'delta',
    bytes: bytesOf(`r${revision}`),
    under,
    ...more,
  };
}

/** Appends the first revisions of a session under the token that it has; returns that. */
export async function begin(store: Store, id: string, revisions: number, more: Partial<Append> = {}): Promise<number> {
  const token = (await store.append(id, record(1, await tokenOf(store, id), more)).then(appended)).token;
  for (let revision = 2; revision <= revisions; revision += 1)
    appended(await store.append(id, record(revision, token)));
  return token;
}

/** The session's token, also where none is written. */
export async function tokenOf(store: Store, id: string): Promise<number> {
  const refused = await store.append(id, record(9, 0, { parent: at(8, 1), position: at(9, 1) }));
  assert(!refused.appended && refused.why !== 'locked');
  return refused.token;
}

type Yes = Extract<Appended, { appended: true }>;
type No<Why> = Extract<Appended, { appended: false }> & { readonly why: Why };

export function appended(answer: Appended): Yes {
  assert(answer.appended, `appended: ${JSON.stringify(answer)}`);
  return answer;
}

export function refused<Why extends 'fenced' | 'conflict' | 'locked'>(answer: Appended, why: Why): No<Why> {
  assert(!answer.appended && answer.why === why, `refused as ${why}: ${JSON.stringify(answer)}`);
  return answer as No<Why>;
}

export const head = async (store: Store, id = 's'): Promise<Tail['head']> =>
  (await store.read(id, { since: ORIGIN, limitBytes: 0 })).head;
export const whole = async (store: Store, id = 's'): Promise<string[]> =>
  texts((await store.read(id, { since: ORIGIN })).records);
export const member = (store: Store, hints: Hint[] = []): Promise<Membership> =>
  store.join((hint) => void hints.push(hint));

export const wants = (who: string, ticket: number, more: Partial<Acquire> = {}): Acquire => ({
  member: who,
  ticket,
  leaseMs: LEASE_MS,
  wait: true,
  ...more,
});
export const asks = (who: string, ticket: number, more: Partial<LockRequest> = {}): LockRequest => ({
  ...wants(who, ticket),
  since: ORIGIN,
  ...more,
});

export function granted(reply: LockReply): Grant & { readonly tail: Tail } {
  assert(reply.granted, `granted: ${JSON.stringify(reply)}`);
  return reply;
}

export function waits(reply: LockReply): number {
  assert(!reply.granted, `not granted: ${JSON.stringify(reply)}`);
  return reply.retryMs;
}

export async function rejects(call: Promise<unknown>, code: string, outcome?: string): Promise<void> {
  const error = await call.then(
    () => ({ code: 'no error' }),
    (thrown: unknown) => thrown as { code: string; outcome?: string },
  );
  assert.equal(error.code, code, String(error));
  if (outcome !== undefined) assert.equal('outcome' in error ? error.outcome : undefined, outcome);
}

/** The clause cannot be shown without it. */
export async function jump(place: Place, ms: number): Promise<void> {
  assert(place.jump !== undefined, 'this place cannot set its wall clock: skip this clause, and say why');
  await place.jump(ms);
}

/** A time that was `ms` when it began to run down. */
export function assertAbout(value: number, ms: number): void {
  assert(value <= ms + 1 && value > ms - SLACK_MS, `${value} is about ${ms}`);
}

const QUIET_MS = 15;

/** Waits for a hint. */
export async function until({ hintMs = 2000 }: Place, condition: () => boolean): Promise<void> {
  for (const end = Date.now() + hintMs; !condition();) {
    assert(Date.now() < end, `waited ${hintMs} ms for a hint in vain`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Long enough for most hints that should not come. */
export const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, QUIET_MS));

const MOST_PAGES = 1000;

/** Runs through all pages; returns what is on them. */
export async function pages<Page extends { readonly cursor?: string | undefined }>(
  next: (from: { readonly cursor?: string }) => Promise<Page>,
): Promise<Page[]> {
  const found: Page[] = [await next({})];
  for (let cursor = found[0]?.cursor; cursor !== undefined; cursor = found.at(-1)?.cursor) {
    assert(found.length < MOST_PAGES, 'the pages end');
    found.push(await next({ cursor }));
  }
  return found;
}

/** All that is listed, sorted. */
export async function ids(store: Store, term?: string): Promise<string[]> {
  const listed = await pages((from) => store.list({ limit: 10, ...(term !== undefined && { term }), ...from }));
  return [...new Set(listed.flatMap((page) => page.ids))].toSorted();
}

/** One sweep over all sessions; returns how many went. */
export async function sweepAll(store: Store, graceMs: number): Promise<number> {
  const swept = await pages((from) => store.sweep({ limit: 2, graceMs, ...from }));
  return swept.reduce((sum, page) => sum + page.swept, 0);
}

/** Every call of the contract that takes options, with arguments that would do something. */
export function everyCall(
  store: Store,
  id: string,
  who: string,
  token: number,
): ((options: CallOptions) => Promise<unknown>)[] {
  const image = {
    records: [{ position: at(5), kind: 'snapshot', bytes: bytesOf('five') }],
    createdAt: 1,
    expiry: {},
    token,
  } as const;
  return [
    (options) => store.read(id, { since: ORIGIN }, options),
    (options) => store.append(id, record(2, token), options),
    (options) => store.replace(id, image, undefined, options),
    (options) => store.lock(id, asks(who, 9), options),
    (options) => store.unlock(id, { token }, options),
    (options) => store.touch(id, { token, expiry: { idleMs: 1 } }, options),
    (options) => store.join(() => undefined, options),
    (options) => store.list({ limit: 1 }, options),
    (options) => store.inspect(id, options),
    (options) => store.sweep({ limit: 1, graceMs: 0 }, options),
    (options) => store.promote(0, options),
    (options) => store.ping(options),
  ];
}
